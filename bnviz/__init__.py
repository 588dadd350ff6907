"""bnviz: two networks that differ in nothing but Batch Normalization, trained live and measured."""
