"""Data for training and measuring: images, and trajectories."""

from linearizer.data.catalog import open_data
from linearizer.data.corruptions import CORRUPTIONS, corrupt
from linearizer.data.digits import load_digits
from linearizer.data.faces import load_faces
from linearizer.data.folder import load_image_folder
from linearizer.data.frames import frames_as_time_series
from linearizer.data.hub import load_hub
from linearizer.data.images import Images
from linearizer.data.letters import load_letters
from linearizer.data.mnist import load_mnist
from linearizer.data.photographs import pieces_of_photographs
from linearizer.data.pixels import SkippedFilesWarning
from linearizer.data.time_series import TimeSeries, read_time_series

__all__ = [
    "CORRUPTIONS",
    "Images",
    "SkippedFilesWarning",
    "TimeSeries",
    "corrupt",
    "frames_as_time_series",
    "load_digits",
    "load_faces",
    "load_hub",
    "load_image_folder",
    "load_letters",
    "load_mnist",
    "open_data",
    "pieces_of_photographs",
    "read_time_series",
]
