"""Models: layers in a stack, compiled, trained, measured, saved."""

from hillwalker.models.files import clone_model, load_model, model_from_json, save_model
from hillwalker.models.many import copies, fit_many
from hillwalker.models.sequential import Sequential

__all__ = ["Sequential", "clone_model", "copies", "fit_many", "load_model", "model_from_json", "save_model"]
