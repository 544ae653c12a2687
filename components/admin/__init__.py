"""The admin panel, one module per noun; this file imports them all."""
