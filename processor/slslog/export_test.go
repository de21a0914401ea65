package slslog

type DecompressError = decompressError
