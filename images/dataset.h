/*
 * The data store: files that a task's programs read and that nobody makes anew,
 * a corpus of tokens for instance, by name.
 *
 *     <store>/<name>/files/…        the files, read-only
 *     <store>/<name>/dataset.json   {"digest", "bytes", "files", "added_at", "listing"}
 *
 * A data set is there as a whole or not at all. Its digest is that of the tree
 * (images/listing.h): names and contents, not where they came from.
 */
#ifndef PADDOCK_IMAGES_DATASET_H
#define PADDOCK_IMAGES_DATASET_H

#include "common/digest.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dataset {
    char *name;
    char *location; /* absolute: the folder of its files */
    char digest[DIGEST_HEX];
    int64_t bytes, files;
    char *added_at; /* RFC 3339 */
};

void dataset_clear(struct dataset *d);
#define _cleanup_dataset_ __attribute__((cleanup(dataset_clear)))
/* {"name", "digest", "bytes", "files", "added_at", "location"} */
void dataset_encode(const struct dataset *d, struct json_writer *w, const char *key);

/* Adds what one folder holds, or these files by their last names; NULL-terminated.
 * With `link` as hard links, which need the same file system and change when
 * the original is written to. A name that is taken is an error unless `replace`. */
int dataset_add(const char *store, const char *name, char *const *sources, bool link, bool replace,
                struct dataset *out, struct error *err);
/* ERROR_NOT_FOUND when there is none of this name. */
int dataset_find(const char *store, const char *name, struct dataset *out, struct error *err);
/* The record with its listing: [{"path", "bytes", "sha256"}]. json_free() it. */
struct json *dataset_record(const char *store, const char *name, struct error *err);
/* All names, sorted, NULL-terminated (strv_free); an empty list without a store. */
int dataset_list(const char *store, char ***names, struct error *err);
int dataset_remove(const char *store, const char *name, struct error *err);
/* Reads all of it again; ERROR_INVALID when it is no longer what was added. */
int dataset_verify(const char *store, const char *name, struct error *err);

#endif
