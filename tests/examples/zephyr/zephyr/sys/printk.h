/* What the example uses of Zephyr's console. */
__attribute__((format(printf, 1, 2))) void printk(const char *format, ...);
