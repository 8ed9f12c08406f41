"""The paper's own experiments: sets, recipes, scores, judge, reproduction (lesson 10)."""
