/* The inside of the store, shared by its own files only. */
#ifndef PADDOCK_IMAGES_STORE_INSIDE_H
#define PADDOCK_IMAGES_STORE_INSIDE_H

#include "images/store.h"

#include <stdbool.h>

#define STORE_HOST "host"

/* Takes <store>/lock: LOCK_SH for as long as something not yet named is made,
 * LOCK_EX | LOCK_NB to remove what is not named. The descriptor, or -1. */
int store_lock(const char *store, int operation, struct error *err);
/* Opens <store>/<folder>; -1 on error. */
int store_open(const char *store, const char *folder, struct error *err);
/* Writes names/<image->name>.json. */
int store_write_record(const char *store, const struct image *image, struct error *err);
/* Every image that has a name, but not "host", sorted. A damaged record is
 * skipped with a warning, or when `strict` an error. On error, too, the list is
 * to be given to image_list_free(). */
int store_read_names(const char *store, bool strict, struct image **list, size_t *count,
                     struct error *err);
/* Describes the machine's own /usr. */
int store_host_image(struct image *out, struct error *err);

#endif
