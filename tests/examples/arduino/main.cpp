// As the Arduino tools do: a sketch is C++ that knows Arduino.h.
#include "Arduino.h"

#include "wristlead_ecg.ino"

int main()
{
    setup();
    while (true)
        loop();
}
