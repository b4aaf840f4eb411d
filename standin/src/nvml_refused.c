/* Calls that many programs make and that tell nothing of energy: NOT_SUPPORTED, as by some boards.
 *
 * They take further arguments, which the calling convention lets us leave alone.
 */
#include "standin.h"

#define REFUSE(function)                                                                                               \
    NVML function(nvmlDevice_t device)                                                                                 \
    {                                                                                                                  \
        BEGIN_DEVICE("other", device);                                                                                 \
        NEED(false, NVML_ERROR_NOT_SUPPORTED);                                                                         \
        END;                                                                                                           \
    }

REFUSE(nvmlDeviceGetBAR1MemoryInfo)
REFUSE(nvmlDeviceGetCurrentClocksEventReasons)
REFUSE(nvmlDeviceGetCurrentClocksThrottleReasons)
REFUSE(nvmlDeviceGetCurrPcieLinkGeneration)
REFUSE(nvmlDeviceGetCurrPcieLinkWidth)
REFUSE(nvmlDeviceGetDecoderUtilization)
REFUSE(nvmlDeviceGetDisplayActive)
REFUSE(nvmlDeviceGetDisplayMode)
REFUSE(nvmlDeviceGetDriverModel)
REFUSE(nvmlDeviceGetDriverModel_v2)
REFUSE(nvmlDeviceGetEccMode)
REFUSE(nvmlDeviceGetEncoderUtilization)
REFUSE(nvmlDeviceGetFanSpeed)
REFUSE(nvmlDeviceGetFanSpeed_v2)
REFUSE(nvmlDeviceGetMaxPcieLinkGeneration)
REFUSE(nvmlDeviceGetMaxPcieLinkWidth)
REFUSE(nvmlDeviceGetMemoryBusWidth)
REFUSE(nvmlDeviceGetMemoryErrorCounter)
REFUSE(nvmlDeviceGetNumFans)
REFUSE(nvmlDeviceGetNumGpuCores)
REFUSE(nvmlDeviceGetPcieThroughput)
REFUSE(nvmlDeviceGetTemperatureThreshold)
REFUSE(nvmlDeviceGetTotalEccErrors)
REFUSE(nvmlDeviceGetVirtualizationMode)
