// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * utf8.c: UTF-8 (RFC 3629) and UTF-16 (RFC 2781), one character at a time.
 */
#include "utf8.h"

struct form {			/* of a character, by its first byte */
	uint8_t mask, lead, bytes;
	uint32_t least;		/* the first character that needs so many bytes */
};

static const struct form forms[] = {
	{ 0x80, 0x00, 1, 0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

#define LAST_CHAR 0x10ffffu

static const struct form *form_of_byte(uint8_t b)
{
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if ((b & forms[i].mask) == forms[i].lead)
			return &forms[i];
	return NULL;
}

unsigned fat_utf8_decode(const uint8_t *p, size_t len, uint32_t *c)
{
	const struct form *form;
	uint32_t v;

	if (!len)
		return 0;
	form = form_of_byte(p[0]);
	if (!form || form->bytes > len)
		return 0;
	v = p[0] & (uint8_t)~form->mask;
	for (unsigned i = 1; i < form->bytes; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < form->least || v > LAST_CHAR || fat_is_surrogate(v))
		return 0;
	*c = v;
	return form->bytes;
}

unsigned fat_utf8_encode(uint32_t c, uint8_t out[4])
{
	unsigned n = 4;

	if (c > LAST_CHAR || fat_is_surrogate(c))
		return 0;
	while (forms[n - 1].least > c)
		n--;
	for (unsigned i = n; i-- > 1; c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)(forms[n - 1].lead | c);
	return n;
}

uint32_t fat_utf16_next(const uint16_t *units, unsigned len, unsigned *i)
{
	uint32_t c = units[(*i)++];

	if ((c & 0xfc00) != 0xd800 || *i == len || (units[*i] & 0xfc00) != 0xdc00)
		return c;
	return 0x10000 + ((c & 0x3ff) << 10) + (units[(*i)++] & 0x3ff);
}

unsigned fat_utf16_put(uint32_t c, uint16_t units[2])
{
	if (c < 0x10000) {
		units[0] = (uint16_t)c;
		return 1;
	}
	c -= 0x10000;
	units[0] = (uint16_t)(0xd800 | c >> 10);
	units[1] = (uint16_t)(0xdc00 | (c & 0x3ff));
	return 2;
}
