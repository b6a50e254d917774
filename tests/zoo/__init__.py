"""The zoo: real SavedModels, healthy and faulty, each served and judged by the operator's own engine."""
