"""The formats of poses, one file each: from records to ligands."""
