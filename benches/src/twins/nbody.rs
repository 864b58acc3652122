//! The planets, and the sun.

use std::hint::black_box;
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Default)]
struct Vec3 {
    x: f64,
    y: f64,
    z: f64,
}

const fn vec3(x: f64, y: f64, z: f64) -> Vec3 {
    Vec3 { x, y, z }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, b: Vec3) -> Vec3 {
        vec3(self.x + b.x, self.y + b.y, self.z + b.z)
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, b: Vec3) -> Vec3 {
        vec3(self.x - b.x, self.y - b.y, self.z - b.z)
    }
}

impl Mul<f64> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f64) -> Vec3 {
        vec3(self.x * k, self.y * k, self.z * k)
    }
}

fn dot(a: Vec3, b: Vec3) -> f64 {
    a.x * b.x + a.y * b.y + a.z * b.z
}

#[derive(Clone, Copy, Default)]
struct Body {
    position: Vec3,
    velocity: Vec3,
    mass: f64,
}

fn solar_system() -> Vec<Body> {
    let solar_mass = 4.0 * 3.141592653589793 * 3.141592653589793;
    let planet = |position: Vec3, per_day: Vec3, mass: f64| Body {
        position,
        velocity: per_day * 365.24,
        mass: mass * solar_mass,
    };
    let mut bodies = vec![
        Body {
            mass: solar_mass,
            ..Body::default()
        },
        planet(
            vec3(
                4.84143144246472090,
                -1.16032004402742839,
                -0.103622044471123109,
            ),
            vec3(
                0.00166007664274403694,
                0.00769901118419740425,
                -0.0000690460016972063023,
            ),
            0.000954791938424326609,
        ),
        planet(
            vec3(
                8.34336671824457987,
                4.12479856412430479,
                -0.403523417114321381,
            ),
            vec3(
                -0.00276742510726411021,
                0.00499852801234917238,
                0.0000230417297573763929,
            ),
            0.000285885980666130812,
        ),
        planet(
            vec3(
                12.8943695621391310,
                -15.1111514016986312,
                -0.223307578892655734,
            ),
            vec3(
                0.00296460137564761618,
                0.00237847173959480950,
                -0.0000296589568540237556,
            ),
            0.0000436624404335156298,
        ),
        planet(
            vec3(
                15.3796971148509165,
                -25.9193146099879641,
                0.179258772950371181,
            ),
            vec3(
                0.00268067772490389322,
                0.00162824170038242295,
                -0.0000951592254519715870,
            ),
            0.0000515138902046611451,
        ),
    ];
    let mut momentum = Vec3::default();
    for body in &bodies {
        momentum = momentum + body.velocity * body.mass;
    }
    let sun = bodies[0];
    bodies[0].velocity = Vec3::default() - momentum * (1.0 / sun.mass);
    bodies
}

fn energy(bodies: &[Body]) -> f64 {
    let mut total = 0.0;
    for i in 0..bodies.len() {
        let a = bodies[i];
        total = total + 0.5 * a.mass * dot(a.velocity, a.velocity);
        for j in i + 1..bodies.len() {
            let b = bodies[j];
            let d = a.position - b.position;
            total = total - a.mass * b.mass / dot(d, d).sqrt();
        }
    }
    total
}

fn advance(bodies: &mut [Body], dt: f64) {
    for i in 0..bodies.len() {
        for j in i + 1..bodies.len() {
            let a = bodies[i];
            let b = bodies[j];
            let d = a.position - b.position;
            let distance2 = dot(d, d);
            let k = dt / (distance2 * distance2.sqrt());
            bodies[i].velocity = a.velocity - d * (b.mass * k);
            bodies[j].velocity = b.velocity + d * (a.mass * k);
        }
    }
    for i in 0..bodies.len() {
        let a = bodies[i];
        bodies[i].position = a.position + a.velocity * dt;
    }
}

pub(super) fn nbody(steps: i64) -> f64 {
    let mut bodies = solar_system();
    black_box(energy(&bodies));
    for _ in 0..steps {
        advance(&mut bodies, 0.01);
    }
    energy(&bodies)
}
