/* A blur of three by three points, written by hand: foreign text, of which worldage knows the
   kernel's name only. The rim is copied. */
#include "plane.h"

__kernel void blur(__global const float *from, __global float *to, int width, int height)
{
    int x = (int)get_global_id(0), y = (int)get_global_id(1);
    if (x >= width || y >= height) return;
    if (x == 0 || y == 0 || x == width - 1 || y == height - 1) {
        to[AT(x, y, width)] = from[AT(x, y, width)];
        return;
    }
    float sum = 0.0f;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) sum += from[AT(x + dx, y + dy, width)];
    to[AT(x, y, width)] = sum / 9.0f;
}
