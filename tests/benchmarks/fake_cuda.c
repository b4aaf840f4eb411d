/* Just enough of the CUDA driver for benchmarks/gpu_load.py to run: a launch takes 0.1 ms a round. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int kernel;

int cuInit(unsigned int flags) { return flags != 0; }
int cuDeviceGetByPCIBusId(int *device, const char *bus)
{
    *device = 0;
    return strlen(bus) < 7;
}
int cuDevicePrimaryCtxRetain(void **context, int device)
{
    *context = &kernel;
    return device;
}
int cuCtxSetCurrent(void *context) { return context != &kernel; }
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = 132;
    return attribute != 16 || device;
}
int cuModuleLoadData(void **module, const char *image)
{
    *module = &kernel;
    return strstr(image, ".entry burn") == NULL;
}
int cuModuleGetFunction(void **function, void *module, const char *name)
{
    *function = &kernel;
    return module != &kernel || strcmp(name, "burn");
}
int cuMemAlloc_v2(uint64_t *address, size_t size)
{
    *address = (uint64_t)(uintptr_t)malloc(size);
    return *address == 0;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **values, void **extra)
{
    if (function != &kernel || !gx || gy * gz * by * bz != 1 || bx != 256 || shared || stream || extra) return 1;
    usleep(100 * *(uint32_t *)values[1]);
    return 0;
}
int cuCtxSynchronize(void) { return 0; }
int cuGetErrorName(int code, const char **name)
{
    *name = code ? "CUDA_ERROR_FAKE" : "CUDA_SUCCESS";
    return 0;
}
