"use strict";
/** Numbers packed by pages.py: little-endian 16-bit steps in base64, as a Float32Array; missing ones are NaN. */
function unpack({ steps, step }) {
  const whole = new Int16Array(bytesOf(steps).buffer);
  return Float32Array.from(whole, (value) => (value === -32768 ? NaN : value * step));
}

function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** Colours of the style sheet, read anew when the device turns from light to dark. */
const palette = {
  of(name) {
    this.known ??= {};
    return (this.known[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  },
  onChange(draw) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.known = {}; draw(); });
  },
};

/** A person's 3D poses: upright axes with x right, y away from the camera, z up; the pelvis is the origin. */
class Body {
  constructor(person, skeleton) {
    Object.assign(this, { name: person.name, color: person.color ?? "middle", floor: person.floor, reach: person.reach });
    this.skeleton = skeleton;
    this.stature = person.stature;
    this.points = unpack(person.pose);
    this.confidence = person.confidence ? bytesOf(person.confidence) : null; // 0 to 255
    this.count = skeleton.joints.length;
    this.place = 0; // along x, so that people stand beside each other
  }

  /** Joints [x, y, z] of a frame, or null where there is nobody; feet may be missing, NaN. */
  at(frame) {
    const from = frame * this.count * 3;
    const joints = [];
    for (let joint = 0; joint < this.count; joint += 1) {
      const [x, y, z] = this.points.subarray(from + joint * 3, from + joint * 3 + 3);
      if (joint === 0 && Number.isNaN(x)) return null;
      joints.push([x + this.place, y, z]);
    }
    return joints;
  }

  sureness(frame, joint) {
    return this.confidence ? this.confidence[frame * this.count + joint] / 255 : 1;
  }
}

const THICKNESS = {
  hip: 0.044, knee: 0.034, ankle: 0.022, shoulder: 0.033, elbow: 0.026, wrist: 0.019, pelvis: 0.046, spine: 0.046,
  thorax: 0.036, neck: 0.028, heel: 0.016, toe: 0.014,
}; // radii in statures, by the last word of a joint's name
const HEAD = 0.062;
const VIEWS = { filmed: [0, 9], side: [90, 9], above: [0, 80] }; // azimuth and elevation in degrees

/** A canvas on which people stand on a floor, seen by an eye that can be turned by mouse, touch and keys. */
class Scene {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.bodies = [];
    this.frame = 0;
    this.chosen = 0;
    this.zoom = 1;
    [this.azimuth, this.elevation] = VIEWS.filmed;
    new ResizeObserver(() => this.resize()).observe(canvas);
    palette.onChange(() => this.draw());
    this.listen();
  }

  /** Show these people; they are put side by side, as where they stand is not known. */
  show(bodies) {
    this.bodies = bodies;
    this.stature = bodies[0].stature;
    const gap = 1.1 * this.stature;
    bodies.forEach((body, number) => { body.place = (number - (bodies.length - 1) / 2) * gap; });
    this.reach = Math.max(...bodies.map((body) => body.reach));
    this.floor = Math.min(...bodies.map((body) => body.floor));
    this.radius = 1.5 * this.reach + gap * (bodies.length - 1) / 2;
    this.squares = floorLines(this.radius, this.stature / 4);
    this.resize();
  }

  look(view) {
    [this.azimuth, this.elevation] = VIEWS[view];
    this.zoom = 1;
    this.draw();
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const sharpness = Math.min(devicePixelRatio, 2);
    this.canvas.width = Math.round(width * sharpness);
    this.canvas.height = Math.round(height * sharpness);
    this.sharpness = sharpness;
    this.draw();
  }

  /** Pixel [x, y] of a point, the scale there in pixels per unit, and its depth. */
  project([x, y, z]) {
    const { right, cosE, sinE, cosA, middle, distance, focal, width, height } = this.eye;
    const across = x * cosA + y * right, ahead = y * cosA - x * right, up = z - middle;
    const depth = distance + ahead * cosE - up * sinE;
    const scale = focal / Math.max(depth, 0.05 * distance);
    return [width / 2 + across * scale, height / 2 - (up * cosE + ahead * sinE) * scale, scale, depth];
  }

  draw() {
    if (!this.bodies.length || !this.canvas.width) return;
    const turn = Math.PI / 180, { width, height } = this.canvas;
    const room = this.radius / this.zoom;
    const focal = 1.72 * Math.min(height, width / Math.max(1, room / this.reach / 1.5));
    this.eye = {
      cosA: Math.cos(this.azimuth * turn), right: Math.sin(this.azimuth * turn),
      cosE: Math.cos(this.elevation * turn), sinE: Math.sin(this.elevation * turn),
      middle: (this.floor + 0.72 * this.reach) / 2, distance: 4.4 * this.reach / this.zoom, focal, width, height,
    };
    this.pen.clearRect(0, 0, width, height);
    this.drawFloor();
    this.drawCamera();
    const poses = this.bodies.map((body) => body.at(this.frame));
    poses.forEach((pose, number) => pose && this.drawShadow(this.bodies[number], pose));
    const order = poses.map((_, number) => number).filter((number) => poses[number]);
    order.sort((a, b) => this.project(poses[b][0])[3] - this.project(poses[a][0])[3]);
    for (const number of order) this.drawBody(this.bodies[number], poses[number], number === this.chosen);
    if (this.bodies.length > 1) this.bodies.forEach((body, number) => this.drawName(body, number === this.chosen));
  }

  drawFloor() {
    const { pen } = this;
    pen.lineWidth = this.sharpness;
    pen.strokeStyle = palette.of("grid");
    this.squares.forEach((pieces, level) => {
      pen.globalAlpha = (level + 1) / this.squares.length;
      pen.beginPath();
      for (const [from, to] of pieces) {
        pen.moveTo(...this.project([...from, this.floor]));
        pen.lineTo(...this.project([...to, this.floor]));
      }
      pen.stroke();
    });
    pen.globalAlpha = 1;
  }

  /** Where the camera stood: an arrow on the floor that points at the people. */
  drawCamera() {
    const { pen } = this, near = -0.62 * this.radius, size = 0.05 * this.stature;
    const corners = [[-size, near], [size, near], [0, near + 1.8 * size]].map(([x, y]) => this.project([x, y, this.floor]));
    pen.globalAlpha = 0.75;
    pen.fillStyle = palette.of("soft");
    pen.beginPath();
    corners.forEach(([x, y], corner) => (corner ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.fill();
    const [x, y] = this.project([0, near, this.floor]);
    this.write("camera", x, y + 14 * this.sharpness, 11);
    pen.globalAlpha = 1;
  }

  write(text, x, y, size, weight = 400) {
    const { pen } = this;
    pen.font = `${weight} ${size * this.sharpness}px Inter, system-ui, -apple-system, Roboto, "DejaVu Sans", sans-serif`;
    pen.textAlign = "center";
    pen.fillText(text, x, y);
  }

  /** A soft shadow on the floor: that of bones drawn far outside of the picture. */
  drawShadow(body, pose) {
    const { pen } = this, aside = 2 * this.canvas.width;
    const ground = pose.map(([x, y, z]) => this.project([x + 0.12 * (z - this.floor), y + 0.1 * (z - this.floor), this.floor]));
    const unit = this.stature * ground[0][2];
    pen.save();
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = 0.06 * unit;
    pen.shadowColor = palette.of("shadow");
    pen.shadowBlur = 0.05 * unit;
    pen.shadowOffsetX = aside;
    pen.beginPath();
    for (const [a, b] of body.skeleton.bones.filter((bone) => isKnown(bone, ground))) {
      pen.moveTo(ground[a][0] - aside, ground[a][1]);
      pen.lineTo(ground[b][0] - aside, ground[b][1]);
    }
    pen.stroke();
    pen.restore();
  }

  drawBody(body, pose, chosen) {
    const { skeleton } = body;
    const points = pose.map((point) => this.project(point));
    const sure = pose.map((_, joint) => 0.3 + 0.7 * body.sureness(this.frame, joint));
    const parts = skeleton.bones.map(([a, b], bone) => ({
      depth: (points[a][3] + points[b][3]) / 2,
      draw: () => this.drawBone(body, points, a, b, chosen ? skeleton.sides[bone] : body.color, Math.min(sure[a], sure[b])),
    })).filter((_, bone) => isKnown(skeleton.bones[bone], points));
    const centre = mean([mean(skeleton.head.map((joint) => pose[joint])), mean(skeleton.nose.map((joint) => pose[joint]))]);
    const head = this.project(centre), nose = this.project(mean(skeleton.nose.map((joint) => pose[joint])));
    const skin = chosen ? "middle" : body.color;
    parts.push({ depth: head[3], draw: () => this.drawBall(head, HEAD * body.stature, skin) });
    parts.push({ depth: nose[3], draw: () => this.drawBall(nose, 0.24 * HEAD * body.stature, skin, 0) });
    if (skeleton.torso) {
      const corners = skeleton.torso.map((joint) => points[joint]);
      parts.push({ depth: mean(corners)[3], draw: () => this.drawTorso(corners, skin) });
    }
    this.pen.globalAlpha = 1;
    const fade = chosen ? 1 : 0.55;
    for (const part of parts.sort((a, b) => b.depth - a.depth)) {
      this.fade = fade;
      part.draw();
    }
    this.pen.globalAlpha = 1;
  }

  /** A limb, thicker at one end: an outline that parts it from what is behind, its colour, and a light edge. */
  drawBone(body, points, a, b, color, sure) {
    const { pen } = this, { joints } = body.skeleton;
    const [ax, ay, as] = points[a], [bx, by, bs] = points[b];
    const thick = (joint, scale) => (THICKNESS[joints[joint].split("_").at(-1)] ?? 0.014) * body.stature * scale;
    const ra = thick(a, as), rb = thick(b, bs);
    const angle = Math.atan2(by - ay, bx - ax), half = Math.PI / 2;
    pen.beginPath();
    pen.arc(ax, ay, ra, angle + half, angle + 3 * half);
    pen.arc(bx, by, rb, angle - half, angle + half);
    pen.closePath();
    pen.globalAlpha = this.fade;
    pen.lineJoin = "round";
    pen.lineWidth = 2.5 * this.sharpness;
    pen.strokeStyle = pen.fillStyle = palette.of("stage");
    pen.stroke();
    pen.fill();
    pen.globalAlpha = this.fade * sure;
    pen.fillStyle = palette.of(color);
    pen.fill();
    pen.globalAlpha = this.fade * sure * 0.32;
    pen.strokeStyle = "#fff";
    pen.lineCap = "round";
    pen.lineWidth = 0.55 * Math.min(ra, rb);
    pen.beginPath();
    pen.moveTo(ax - 0.3 * ra, ay - 0.35 * ra);
    pen.lineTo(bx - 0.3 * rb, by - 0.35 * rb);
    pen.stroke();
  }

  drawBall([x, y, scale], size, color, outline = 2.5) {
    const { pen } = this, radius = size * scale;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.globalAlpha = this.fade;
    pen.lineWidth = outline * this.sharpness;
    pen.strokeStyle = palette.of("stage");
    if (outline) pen.stroke();
    pen.fillStyle = palette.of(color);
    pen.fill();
    const light = pen.createRadialGradient(x - 0.35 * radius, y - 0.4 * radius, 0.1 * radius, x, y, radius);
    light.addColorStop(0, "rgb(255 255 255 / 45%)");
    light.addColorStop(0.6, "rgb(255 255 255 / 0%)");
    light.addColorStop(1, "rgb(0 0 0 / 18%)");
    pen.fillStyle = light;
    pen.fill();
  }

  drawTorso(corners, color) {
    const { pen } = this;
    pen.beginPath();
    corners.forEach(([x, y], corner) => (corner ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.globalAlpha = this.fade * 0.3;
    pen.fillStyle = palette.of(color);
    pen.fill();
  }

  drawName(body, chosen) {
    const [x, y] = this.project([body.place, 0, this.floor]);
    this.pen.fillStyle = palette.of(body.color);
    this.write(body.name, x, y + 34 * this.sharpness, 12, chosen ? 700 : 400);
  }

  turn(azimuth, elevation) {
    this.azimuth = (this.azimuth + azimuth) % 360;
    this.elevation = Math.max(-5, Math.min(89, this.elevation + elevation));
    this.draw();
  }

  closer(times) {
    this.zoom = Math.max(0.5, Math.min(4, this.zoom * times));
    this.draw();
  }

  listen() {
    const { canvas } = this, fingers = new Map();
    const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
    canvas.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const apart = fingers.size === 2 ? spread() : 0;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (apart) this.closer(spread() / apart);
      else this.turn((before.x - event.clientX) * 0.4, (event.clientY - before.y) * 0.4);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
    canvas.addEventListener("dblclick", () => this.look("filmed"));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls
      event.preventDefault();
      this.closer(Math.exp(-event.deltaY / 500));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const moves = {
        ArrowLeft: () => this.turn(6, 0), ArrowRight: () => this.turn(-6, 0), ArrowUp: () => this.turn(0, 6),
        ArrowDown: () => this.turn(0, -6), "+": () => this.closer(1.15), "-": () => this.closer(1 / 1.15),
      };
      if (!moves[event.key] || event.ctrlKey || event.metaKey) return;
      moves[event.key]();
      event.preventDefault();
      event.stopPropagation();
    });
  }
}

/** Pieces of a square grid within a circle, by how visible they are: [level][piece] = [[x, y], [x, y]]. */
function floorLines(radius, step) {
  const levels = [[], [], [], [], []], pieces = 16;
  const count = Math.floor(radius / step);
  for (let line = -count; line <= count; line += 1) {
    const fixed = line * step, half = Math.sqrt(radius ** 2 - fixed ** 2);
    for (let piece = 0; piece < pieces; piece += 1) {
      const from = -half + (2 * half * piece) / pieces, to = from + (2 * half) / pieces;
      const away = Math.hypot(fixed, (from + to) / 2) / radius;
      const level = Math.max(0, Math.min(4, Math.floor(5 * (1 - away))));
      levels[level].push([[fixed, from], [fixed, to]], [[from, fixed], [to, fixed]]);
    }
  }
  return levels;
}

/** Whether both ends of a bone are among the points that are known. */
function isKnown([a, b], points) {
  return !Number.isNaN(points[a][0] + points[b][0]);
}

function mean(vectors) {
  return vectors[0].map((_, axis) => vectors.reduce((sum, vector) => sum + vector[axis], 0) / vectors.length);
}
