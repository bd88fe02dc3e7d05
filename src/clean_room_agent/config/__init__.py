"""Configuration: TOML and overrides to frozen dataclasses, each value with its origin."""

from clean_room_agent.config.load import LoadedConfig, load_config, project_config_path
from clean_room_agent.config.schema import Config
from clean_room_agent.config.template import render_template

__all__ = ["Config", "LoadedConfig", "load_config", "project_config_path", "render_template"]
