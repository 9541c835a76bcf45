// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zone_file.c: a zone of the system's zone data (TZif, RFC 8536) as a list of
 * changes.  The file is read whole, once, and every count in it is checked
 * against its size.  Only its second part, with 64-bit times, is used, and the
 * rule at its end for the years after its list.  Zones with leap seconds are
 * refused, for the clock of the system has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "zone.h"

#define ZONE_DIR	"/usr/share/zoneinfo/"
#define FILE_MAX	65536
#define HEADER		44
#define NAME_MAX_BYTES	100
#define RULE_MAX	100
#define OFFSET_MAX	(26 * 3600)

struct part {			/* one of the file's two parts */
	const uint8_t *data;
	uint32_t isut, isstd, leaps, times, types, chars;
	size_t size;		/* of the data */
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* A header at @at and its data, whose times are @width bytes long. */
static bool take_part(const uint8_t *bytes, size_t size, size_t at, unsigned width, struct part *part)
{
	const uint8_t *h = bytes + at;

	if (size < HEADER || at > size - HEADER || memcmp(h, "TZif", 4) != 0 || h[4] < '2')
		return false;
	*part = (struct part){ .data = h + HEADER, .isut = be32(h + 20), .isstd = be32(h + 24), .leaps = be32(h + 28),
			       .times = be32(h + 32), .types = be32(h + 36), .chars = be32(h + 40) };
	if (part->isut > FILE_MAX || part->isstd > FILE_MAX || part->leaps > FILE_MAX ||
	    part->times > FILE_MAX || part->types > FILE_MAX || part->chars > FILE_MAX)
		return false;
	part->size = (size_t)part->times * (width + 1) + (size_t)part->types * 6 + part->chars +
		     (size_t)part->leaps * (width + 4) + part->isstd + part->isut;
	return part->size <= size - HEADER - at && part->types > 0;
}

/* The offset of type @type. */
static bool type_offset(const struct part *part, unsigned type, int32_t *offset)
{
	if (type >= part->types)
		return false;
	*offset = (int32_t)be32(part->data + (size_t)part->times * 9 + 6 * type);
	return *offset >= -OFFSET_MAX && *offset <= OFFSET_MAX;
}

static bool add(struct fat_zone *zone, int64_t at, int32_t offset)
{
	if (at < fat_days(FAT_ZONE_FIRST_YEAR, 1, 1) * 86400) {
		zone->offset = offset;
		return true;
	}
	if (zone->count == FAT_ZONE_CHANGES || (zone->count && at < zone->changes[zone->count - 1].at))
		return false;
	zone->changes[zone->count++] = (struct fat_zone_change){ at, offset };
	return true;
}

static bool add_times(struct fat_zone *zone, const struct part *part)
{
	const uint8_t *types = part->data + (size_t)part->times * 8;
	int64_t before = INT64_MIN;
	int32_t offset;

	if (!type_offset(part, 0, &zone->offset))
		return false;
	for (uint32_t i = 0; i < part->times; i++) {
		int64_t at = be64(part->data + 8 * (size_t)i);

		if (at < before || !type_offset(part, types[i], &offset) || !add(zone, at, offset))
			return false;
		before = at;
	}
	return true;
}

/* The rule's changes after the last one listed, @after. */
static bool add_rule(struct fat_zone *zone, const struct fat_zone_rule *rule, int64_t after)
{
	struct fat_zone_change two[2], first;

	if (!rule->has_dst) {
		if (after == INT64_MIN)
			zone->offset = rule->offset;
		return true;
	}
	for (int year = FAT_ZONE_FIRST_YEAR; year <= FAT_ZONE_LAST_YEAR; year++) {
		fat_zone_rule_changes(rule, year, two);
		first = two[two[1].at < two[0].at];
		if (first.at > after && !add(zone, first.at, first.offset))
			return false;
		first = two[two[1].at >= two[0].at];
		if (first.at > after && !add(zone, first.at, first.offset))
			return false;
	}
	return true;
}

/* The rule between the newlines after the second part; none: nothing changes any more. */
static bool add_footer(struct fat_zone *zone, const struct part *part, const uint8_t *end)
{
	const uint8_t *p = part->data + part->size, *newline;
	struct fat_zone_rule rule;
	char text[RULE_MAX];

	if (p >= end || *p != '\n')
		return false;
	newline = memchr(p + 1, '\n', (size_t)(end - p - 1));
	if (!newline || newline - p > RULE_MAX)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(newline - p - 1), (const char *)p + 1);
	if (!text[0])
		return true;
	if (fat_zone_rule_parse(text, &rule))
		return false;
	return add_rule(zone, &rule, part->times ? be64(part->data + 8 * (size_t)(part->times - 1)) : INT64_MIN);
}

int fat_zone_parse(const uint8_t *bytes, size_t size, struct fat_zone **out)
{
	struct part part;
	struct fat_zone *zone;

	if (!take_part(bytes, size, 0, 4, &part) ||
	    !take_part(bytes, size, HEADER + part.size, 8, &part) || part.leaps)
		return -EINVAL;
	zone = calloc(1, sizeof(*zone) + FAT_ZONE_CHANGES * sizeof(zone->changes[0]));
	if (!zone)
		return -ENOMEM;
	if (!add_times(zone, &part) || !add_footer(zone, &part, bytes + size)) {
		free(zone);
		return -EINVAL;
	}
	*out = zone;
	return 0;
}

/* ---- the file ------------------------------------------------------------ */

/* A relative path of the characters that names of zones have, without "..". */
static bool is_zone_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

	return *name && *name != '/' && strlen(name) <= NAME_MAX_BYTES && name[strspn(name, allowed)] == '\0';
}

/* The whole file of @name; returns its size, or -errno. */
static ssize_t read_zone(const char *name, uint8_t *bytes)
{
	char path[sizeof(ZONE_DIR) + NAME_MAX_BYTES];
	struct stat st;
	ssize_t n = 0, total = 0;
	int fd;

	snprintf(path, sizeof(path), ZONE_DIR "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ENOENT;
	}
	while (total < FILE_MAX && (n = read(fd, bytes + total, FILE_MAX - (size_t)total)) > 0)
		total += n;
	if (n < 0)
		total = -errno;
	close(fd);
	return total;
}

int fat_zone_load(const char *name, struct fat_zone **out, char *why, size_t why_size)
{
	uint8_t *bytes;
	ssize_t size;
	int err;

	if (!is_zone_name(name)) {
		snprintf(why, why_size, "mount option \"tz\": \"%.60s\" is no name of a time zone; one is Europe/Berlin", name);
		return -EINVAL;
	}
	bytes = malloc(FILE_MAX);
	if (!bytes)
		return -ENOMEM;
	size = read_zone(name, bytes);
	if (size < 0) {
		snprintf(why, why_size, "mount option \"tz\": cannot read " ZONE_DIR "%.60s: %s; is tzdata installed?", name,
			 strerror((int)-size));
		err = -EINVAL;
	} else {
		err = fat_zone_parse(bytes, (size_t)size, out);
		if (err == -EINVAL)
			snprintf(why, why_size, "mount option \"tz\": " ZONE_DIR "%.60s is not zone data of version 2 or later, or has leap seconds", name);
	}
	free(bytes);
	return err;
}
