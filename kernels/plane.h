/* Where a point of a plane lies in its array. */
#define AT(x, y, width) ((y) * (width) + (x))
