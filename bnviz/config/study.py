"""What is measured beside the runs, of something that does not train."""

from bnviz.config.linear_unit import LinearUnitConfig
from bnviz.config.untrained import UntrainedConfig

StudyConfig = UntrainedConfig | LinearUnitConfig
"""What a study is about; see `records.Study`."""
