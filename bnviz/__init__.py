"""bnviz: networks that differ in nothing but their normalization, trained live and measured."""
