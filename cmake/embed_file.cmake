# cmake -DIN=FILE -DOUT=FILE.c -DSYMBOL=NAME -P embed_file.cmake: a file as an array of
# bytes, ended by a NUL that its length does not count.
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include <stddef.h>\n\nconst unsigned char ${SYMBOL}[] = {\n${bytes}0};\nconst size_t ${SYMBOL}_len = sizeof ${SYMBOL} - 1;\n")
