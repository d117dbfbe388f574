"""Do labels belong to their texts: by neighbours, means of classes, a regression of others."""
