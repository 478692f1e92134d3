"""Checks for observers: plugins that send fits and records to a tracker."""
