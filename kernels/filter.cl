/* Filters of a plane, written by hand: a convolution with weights that do not change, and a
   transposition that goes through memory of the work-group. */
#include "plane.h"

/* Each point is the weighted sum of the `2 * reach + 1` points of its row around it; what lies
   beyond the rim counts as the rim. */
__kernel void convolve_rows(__global const float *from, __constant float *weights,
                            __global float *to, int width, int reach)
{
    int x = (int)get_global_id(0), y = (int)get_global_id(1);
    if (x >= width) return;
    float sum = 0.0f;
    for (int d = -reach; d <= reach; d++)
        sum += weights[d + reach] * from[AT(clamp(x + d, 0, width - 1), y, width)];
    to[AT(x, y, width)] = sum;
}

#define TILE 8

/* Groups of TILE by TILE work-items; `width` and `height` are multiples of TILE. */
__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1)))
void transpose(__global const float *from, __global float *to, int width, int height)
{
    __local float tile[TILE][TILE + 1];
    int x = (int)get_local_id(0), y = (int)get_local_id(1);
    int left = (int)get_group_id(0) * TILE, top = (int)get_group_id(1) * TILE;
    tile[y][x] = from[AT(left + x, top + y, width)];
    barrier(CLK_LOCAL_MEM_FENCE);
    to[AT(top + x, left + y, height)] = tile[x][y];
}
