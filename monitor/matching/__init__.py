"""Bytes → hashes → matches.

As a library, without the rest: `hash_image` gives a picture's perceptual hashes, `HashIndex` searches them
exactly. Importing this package loads numpy alone; Pillow and imagehash come with the first picture, numba
with the first index of some size.
"""

from monitor.matching.engine import backend, warm_up_index
from monitor.matching.film import USUAL, Film, Sampling, film_of, hash_film
from monitor.matching.film import warm_up as warm_up_films
from monitor.matching.film_file import MAX_FILM_BYTES
from monitor.matching.hasher import MAX_PICTURE_BYTES, InProcessHasher, Kept, MediaHashing
from monitor.matching.image import ImageHashes, checked_size, dihedral_pdq, hash_frames, hash_image, warm_up
from monitor.matching.index import HashIndex, Hits
from monitor.matching.index_file import IndexFileError
from monitor.matching.lists import HashList, load_list, load_lists
from monitor.matching.matcher import ListMatcher
from monitor.matching.picture import MAX_PIXELS, MAX_SIDE, decode
from monitor.matching.sealed import encrypt_list
from monitor.matching.signals import SignalType, hash_signal, register, signal_names, signal_type
from monitor.matching.thresholds import MIN_QUALITY
from monitor.matching.vpdq import FilmRule

__all__ = [
    "MAX_FILM_BYTES",
    "MAX_PICTURE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MIN_QUALITY",
    "USUAL",
    "Film",
    "FilmRule",
    "HashIndex",
    "HashList",
    "Hits",
    "ImageHashes",
    "InProcessHasher",
    "IndexFileError",
    "Kept",
    "ListMatcher",
    "MediaHashing",
    "Sampling",
    "SignalType",
    "backend",
    "checked_size",
    "decode",
    "dihedral_pdq",
    "encrypt_list",
    "film_of",
    "hash_film",
    "hash_frames",
    "hash_image",
    "hash_signal",
    "load_list",
    "load_lists",
    "register",
    "signal_names",
    "signal_type",
    "warm_up",
    "warm_up_films",
    "warm_up_index",
]
