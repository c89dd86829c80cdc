// A single-lead front end (such as the AD8232) on A0: a line for each verdict on the serial port.
//
//   wristlead export models/quality-tiny --c ~/Arduino/libraries/wristlead_quality_tiny
//
// Needs about 20 KB of RAM, 60 KB of flash and a 32-bit core.
#include <wl_app.h>

static const int ECG_PIN = A0, LEAD_OFF_PLUS_PIN = 10, LEAD_OFF_MINUS_PIN = 11;
static const uint32_t RATE_HZ = 250;

// 12 bits over 3.3 V behind a gain of 1100: 0.73 uV a count, as 47 / 64.
static const struct wl_input INPUT_12_BIT = {RATE_HZ, 47, 6, 1, 4094};

static struct wl_stream stream;
static int8_t memory[WL_APP_MEMORY_BYTES];
static uint32_t next_us;

static void push(int32_t count, uint8_t line)
{
    static struct wl_event events[4];
    size_t n_events, n_left = 1;

    do {
        n_left -= wl_stream_push(&stream, &count, n_left, line, events, 4, &n_events);
        for (size_t k = 0; k < n_events; k++) {
            Serial.print((long)(events[k].t0_us / 1000)); // below 0 where a resampler began before the first sample
            Serial.print(" ms: ");
            Serial.println(wl_app_label(&events[k]));
        }
    } while (n_left > 0 || n_events == 4);
}

void setup()
{
    Serial.begin(115200);
    pinMode(LEAD_OFF_PLUS_PIN, INPUT);
    pinMode(LEAD_OFF_MINUS_PIN, INPUT);
    analogReadResolution(12);
    if (wl_stream_init(&stream, &wl_app, &INPUT_12_BIT, memory) != WL_OK) {
        Serial.println("the tables or the input are refused");
        while (true) {
        }
    }
    next_us = micros();
}

void loop()
{
    if ((int32_t)(micros() - next_us) < 0)
        return;
    next_us += 1000000 / RATE_HZ;
    bool is_off = digitalRead(LEAD_OFF_PLUS_PIN) == HIGH || digitalRead(LEAD_OFF_MINUS_PIN) == HIGH;
    push(analogRead(ECG_PIN), is_off ? WL_LEAD_OFF : 0);
}
