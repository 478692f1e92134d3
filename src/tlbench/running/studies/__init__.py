"""The searches of a results folder as Optuna studies in one storage, for dashboards."""
