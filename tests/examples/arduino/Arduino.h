/* What the sketch uses of Arduino, on a desk: the converter reads stdin, the serial port is stdout. */
#include <cstdint>
#include <cstdio>
#include <cstdlib>

enum { LOW, HIGH, INPUT, A0 = 14 };

static uint32_t now_us;

static uint32_t micros() { return now_us += 500; }
static void pinMode(int, int) {}
static void analogReadResolution(int) {}
static int digitalRead(int) { return LOW; }

static int analogRead(int)
{
    int count;

    if (std::scanf("%d", &count) != 1)
        std::exit(0);
    return count;
}

struct Port {
    void begin(long) {}
    void print(long n) { std::printf("%ld", n); }
    void print(const char *text) { std::printf("%s", text); }
    void println(const char *text) { std::printf("%s\n", text); }
};

static Port Serial;
