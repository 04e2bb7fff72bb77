"""The results folder: runs, studies, frames, artifacts, samples, figures. The only room that knows its file names."""
