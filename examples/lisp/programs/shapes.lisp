; Types under a type of the program, methods chosen by all arguments, and lists that are the
; program's own.
(abstract Shape)
(type (Circle Shape) radius)
(type (Square Shape) side)

(define (area (c Circle)) (* 3.0 (* (radius c) (radius c))))
(define (area (s Square)) (* (side s) (side s)))

(define (fits (inner Circle) (outer Square)) (< (* 2 (radius inner)) (side outer)))
(define (fits (inner Square) (outer Square)) (< (side inner) (side outer)))
(define (fits (inner Shape) (outer Shape)) (< (area inner) (area outer)))

(abstract List)
(type (Empty List))
(type (Cons List) head tail)

(define (map f (list Empty)) list)
(define (map f (list Cons)) (Cons (f (head list)) (map f (tail list))))
(define (fold f so-far (list Empty)) so-far)
(define (fold f so-far (list Cons)) (fold f (f so-far (head list)) (tail list)))

(define shapes (Cons (Circle 1.0) (Cons (Square 3) (Cons (Circle 2) (Empty)))))

(print (fold '+ 0 (map 'area shapes)))
(print (map (fn (shape) (fits shape (Square 4))) shapes))

(define (up-to n list) (if (= n 0) list (up-to (- n 1) (Cons n list))))
(print (fold '+ 0 (map (fn (x) (* x x)) (up-to 1000 (Empty)))))
