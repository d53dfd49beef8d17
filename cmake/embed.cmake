# paddock_embed(TARGET SYMBOL FILE): compiles a file of the current folder into a target,
# as `const unsigned char SYMBOL[]` and `const size_t SYMBOL_len`.
function(paddock_embed target symbol file)
  set(in ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${in} -DOUT=${out} -DSYMBOL=${symbol} -P ${script}
    DEPENDS ${in} ${script}
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
