# Nothing: the record as it is.
