// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel module that does one wrong thing while it loads, so that it is seen
 * whether the rig reports it.  Which one: WRONG, a number, when it is compiled.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(two);
static DEFINE_SPINLOCK(spin);
static char *volatile kept;

static void use_after_free(void)
{
	kept = kmalloc(64, GFP_KERNEL);
	kfree(kept);
	kept[3] = 1;
}

static void leak(void)
{
	kept = kmalloc(64, GFP_KERNEL);
	kept = NULL;
}

static void sleep_with_spinlock(void)
{
	spin_lock(&spin);
	msleep(1);
	spin_unlock(&spin);
}

static void lock_both_ways(void)
{
	mutex_lock(&one);
	mutex_lock(&two);
	mutex_unlock(&two);
	mutex_unlock(&one);
	mutex_lock(&two);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&two);
}

static void stay(void)
{
	__module_get(THIS_MODULE);
}

static void nothing(void)
{
}

static void (*const WRONGS[])(void) = { nothing, use_after_free, leak, sleep_with_spinlock, lock_both_ways, stay };

static int __init wrong_init(void)
{
	WRONGS[WRONG]();
	return 0;
}

static void __exit wrong_exit(void)
{
}

module_init(wrong_init);
module_exit(wrong_exit);
MODULE_LICENSE("GPL");
