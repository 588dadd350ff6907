"""What is measured beside the runs, of something that does not train."""

from bnviz.config.cost import CostConfig
from bnviz.config.cousins import CousinsConfig
from bnviz.config.depth import DepthConfig
from bnviz.config.linear_unit import LinearUnitConfig
from bnviz.config.trials import TrialsConfig
from bnviz.config.untrained import UntrainedConfig

StudyConfig = UntrainedConfig | LinearUnitConfig | TrialsConfig | DepthConfig | CousinsConfig | CostConfig
"""What a study is about; see `records.Study`."""
