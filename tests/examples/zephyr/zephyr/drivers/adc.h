/* What the example uses of Zephyr's converters: declarations alone. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adc_dt_spec {
    const void *dev;
    uint8_t channel_id;
};
struct adc_sequence {
    const void *options;
    uint32_t channels;
    void *buffer;
    size_t buffer_size;
};

#define DT_PATH(node) 0
#define ADC_DT_SPEC_GET(node) {0, node}

bool adc_is_ready_dt(const struct adc_dt_spec *spec);
int adc_channel_setup_dt(const struct adc_dt_spec *spec);
int adc_sequence_init_dt(const struct adc_dt_spec *spec, struct adc_sequence *sequence);
int adc_read_dt(const struct adc_dt_spec *spec, const struct adc_sequence *sequence);
