/* A moving mean over four samples, and a main that runs it: what your own code would look like. */
#include <stdint.h>

int main(void);
void moving_mean(const int16_t *x, int16_t *y, int n);

__attribute__((noinline)) void moving_mean(const int16_t *x, int16_t *y, int n)
{
    int32_t sum = 0;

    for (int i = 0; i < n; i++) {
        sum += x[i] - (i >= 4 ? x[i - 4] : 0);
        y[i] = (int16_t)(sum / 4);
    }
}

static int16_t x[256], y[256];

int main(void)
{
    for (int i = 0; i < 256; i++)
        x[i] = (int16_t)(i * 37 % 251);
    moving_mean(x, y, 256);
    return y[255];
}
