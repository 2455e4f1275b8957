const data = JSON.parse(byId("data").textContent);

/** The 2D poses that were lifted, drawn over the picture. */
class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.keypoints = data.people.map((person) => unpack(person.keypoint));
    this.confidences = data.people.map((person) => bytesOf(person.confidence));
    this.on = true;
    this.chosen = 0;
    new ResizeObserver(() => this.draw(this.frame ?? 0)).observe(canvas);
    palette.onChange(() => this.draw(this.frame));
  }

  draw(frame) {
    this.frame = frame;
    const { canvas } = this, pen = canvas.getContext("2d"), [wide, high] = data.image;
    const { width, height } = canvas.getBoundingClientRect(), sharpness = Math.min(devicePixelRatio, 2);
    canvas.width = Math.round(width * sharpness);
    canvas.height = Math.round(height * sharpness);
    if (!this.on) return;
    const scale = Math.min(canvas.width / wide, canvas.height / high);
    const left = (canvas.width - wide * scale) / 2, top = (canvas.height - high * scale) / 2;
    if (!data.filmed) {
      pen.strokeStyle = palette.of("line");
      pen.strokeRect(left, top, wide * scale, high * scale);
    }
    const { bones, sides, joints } = data.skeleton;
    const thick = Math.max(1.5 * sharpness, canvas.height / 140);
    pen.lineCap = "round";
    data.people.forEach((person, number) => {
      const from = frame * joints.length;
      const at = (joint) => {
        const [x, y] = this.keypoints[number].subarray((from + joint) * 2, (from + joint) * 2 + 2);
        return [left + (x + 0.5) * scale, top + (y + 0.5) * scale];
      };
      const sure = (joint) => this.confidences[number][from + joint] / 255;
      for (const [width, dark] of [[thick + 2 * sharpness, true], [thick, false]]) {
        bones.forEach(([a, b], bone) => {
          const [ax, ay] = at(a), [bx, by] = at(b);
          if (Number.isNaN(ax + bx)) return;
          pen.globalAlpha = (0.2 + 0.8 * Math.min(sure(a), sure(b))) * (dark ? 0.5 : 1);
          pen.strokeStyle = dark ? "#000" : palette.of(number === this.chosen ? `${sides[bone]}-bright` : person.color);
          pen.lineWidth = width;
          pen.beginPath();
          pen.moveTo(ax, ay);
          pen.lineTo(bx, by);
          pen.stroke();
        });
      }
    });
    pen.globalAlpha = 1;
  }
}

/** A curve or two over the clip, with what they are at the moment shown. */
class Chart {
  /** Its words are posepipe's own, so that they may be read as HTML; by frame, whether not to trust it. */
  constructor({ title, hint, unit, decimals, curves }, untrusted) {
    this.untrusted = untrusted;
    this.curves = curves.map((curve) => ({ ...curve, values: unpack(curve.values) }));
    Object.assign(this, { unit, decimals });
    const known = this.curves.flatMap(({ values }) => Array.from(values).filter(Number.isFinite));
    [this.low, this.high, this.step] = unit === "%" ? [0, 100, 50] : scaleFor(known);
    const read = this.curves.map(({ name, side }) => `<span class="${side}">${name ? `${name} ` : ""}<b></b></span>`).join("");
    const spans = this.curves.map(({ name, values }) => `${name} ${this.rangeOf(values)}`.trim()).join(", ");
    this.element = document.createElement("figure");
    this.element.className = "chart";
    this.element.innerHTML = `<figcaption><h3>${title}</h3><p class="now">${read}</p></figcaption>
      <div class="plot"><svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img"
      aria-label="${title} over time: ${spans}">${this.drawing()}</svg>${this.labels()}<i class="cursor"></i></div>
      <p class="hint">${hint}</p>`;
    this.cursor = this.element.querySelector(".cursor");
    this.now = this.element.querySelectorAll("b");
    this.plot = this.element.querySelector(".plot");
  }

  y(value) {
    return 100 - (100 * (value - this.low)) / (this.high - this.low);
  }

  get ticks() {
    const ticks = [];
    for (let tick = this.low; tick <= this.high + 1e-6; tick += this.step) ticks.push(tick);
    return ticks;
  }

  drawing() {
    const lines = this.ticks.map((tick) => `<line x1="0" x2="1000" y1="${this.y(tick)}" y2="${this.y(tick)}"/>`);
    const grey = (at) => this.untrusted(at - 1) || this.untrusted(at) || this.untrusted(at + 1); // up to the next colour
    const paths = this.curves.flatMap(({ side, values }) => [
      `<path class="untrusted" d="${this.path(values, grey)}"/>`,
      `<path class="${side}" d="${this.path(values, (at) => !this.untrusted(at))}"/>`,
    ]);
    return lines.join("") + paths.join("");
  }

  labels() {
    return this.ticks.map((tick) => `<span class="tick" style="top:${this.y(tick)}%">${tick}${this.unit}</span>`).join("");
  }

  /** Of the frames that are wanted at most 1,000 pieces, each from its lowest to its highest value, so that no peak is lost. */
  path(values, wanted) {
    const { time } = data, whole = time.at(-1) - time[0] || 1, size = Math.ceil(values.length / 1000);
    let path = "", broken = true;
    for (let from = 0; from < values.length; from += size) {
      const piece = [];
      for (let at = from; at < Math.min(from + size, values.length); at += 1) piece.push(at);
      const known = piece.filter((at) => Number.isFinite(values[at]) && wanted(at)).sort((a, b) => values[a] - values[b]);
      const ends = [...new Set([known[0], known.at(-1)])].filter((at) => at !== undefined).sort((a, b) => a - b);
      for (const at of ends) {
        path += `${broken ? "M" : "L"}${((1000 * (time[at] - time[0])) / whole).toFixed(1)} ${this.y(values[at]).toFixed(2)}`;
        broken = false;
      }
      if (known.length < piece.length) broken = true;
    }
    return path;
  }

  say(value) {
    return `${value.toFixed(this.decimals).replace(/^-(?=[0.]+$)/, "")}${this.unit}`;
  }

  rangeOf(values) {
    const known = values.filter(Number.isFinite);
    return known.length ? `${this.say(Math.min(...thinned(known)))} to ${this.say(Math.max(...thinned(known)))}` : "is not known";
  }

  show(frame) {
    const { time } = data, whole = time.at(-1) - time[0] || 1;
    this.cursor.style.left = `${(100 * (time[frame] - time[0])) / whole}%`;
    this.curves.forEach(({ values }, number) => {
      this.now[number].textContent = Number.isFinite(values[frame]) ? this.say(values[frame]) : "–";
    });
  }
}

function thinned(values) {
  return values.filter((_, at) => at % Math.ceil(values.length / 20000) === 0); // arguments of a call are limited
}

/** Round limits around values, and the step of their ticks. */
function scaleFor(values) {
  if (!values.length) return [0, 90, 45];
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const step = [1, 2, 5, 10, 15, 30, 45, 90, 180, 360, 720, 1440].find((size) => high - low <= 3 * size) ?? 3600;
  const from = Math.floor(low / step) * step;
  return [from, Math.max(Math.ceil(high / step) * step, from + step), step];
}

class Page {
  constructor() {
    this.bodies = data.people.map((person) => new Body(person, data.skeleton));
    this.scene = new Scene(byId("scene"));
    this.scene.show(this.bodies);
    this.overlay = new Overlay(byId("overlay"));
    this.charts = [];
    this.player = new Player(data.time, (frame) => this.show(frame));
    this.player.onPicture = (frame) => { this.firstPicture = true; this.overlay.draw(frame); };
    this.buttons();
    this.choose(0);
    if (data.filmed) addEventListener("DOMContentLoaded", () => this.openVideo()); // it comes last in the file
  }

  show(frame) {
    this.scene.frame = frame;
    this.scene.draw();
    if (!this.player?.video) this.overlay.draw(frame);
    this.charts.forEach((chart) => chart.show(frame));
    const seconds = (data.life ?? data.time)[frame];
    const nobody = this.bodies[this.scene.chosen].at(frame) ? "" : " · nobody";
    byId("moment").textContent = `${seconds.toFixed(2)} s · frame ${frame * data.stride + 1}${nobody}`;
    byId("scrub").setAttribute("aria-valuetext", `${seconds.toFixed(2)} seconds`);
  }

  /** Another person in full colours, and their curves. */
  choose(number) {
    this.scene.chosen = this.overlay.chosen = number;
    const red = new Set(data.people[number].red);
    this.charts = data.people[number].charts.map((chart) => new Chart(chart, (frame) => red.has(frame)));
    byId("charts").replaceChildren(...this.charts.map(({ element }) => element));
    this.charts.forEach((chart) => this.scrubOn(chart));
    document.querySelectorAll("[data-person]").forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.person) === number));
    });
    this.overlay.draw(this.overlay.frame ?? 0);
    this.show(this.player.frame);
  }

  scrubOn({ plot }) {
    const seek = (event) => {
      const { left, width } = plot.getBoundingClientRect(), whole = data.time.at(-1) - data.time[0];
      this.player.play(false);
      this.player.seek(this.player.nearest(data.time[0] + (whole * (event.clientX - left)) / width));
    };
    plot.addEventListener("pointerdown", (event) => { plot.setPointerCapture(event.pointerId); seek(event); });
    plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) seek(event); });
  }

  buttons() {
    const drawn = byId("drawn");
    const toggle = () => { this.overlay.on = drawn.checked; this.overlay.draw(this.overlay.frame); };
    drawn.addEventListener("change", toggle);
    document.querySelectorAll("[data-view]").forEach((button) => {
      button.addEventListener("click", () => this.scene.look(button.dataset.view));
    });
    document.querySelectorAll("[data-person]").forEach((button) => {
      button.addEventListener("click", () => this.choose(Number(button.dataset.person)));
    });
    Object.assign(this.player.keys, {
      o: () => { drawn.checked = !drawn.checked; toggle(); },
      p: () => this.choose((this.scene.chosen + 1) % this.bodies.length),
      1: () => this.scene.look("filmed"), 2: () => this.scene.look("side"), 3: () => this.scene.look("above"),
    });
  }

  openVideo() {
    const video = byId("video");
    const blob = new Blob([bytesOf(byId("film").textContent.trim())], { type: "video/mp4" });
    video.addEventListener("loadeddata", () => this.player.follow(video), { once: true });
    video.addEventListener("error", () => { byId("unplayable").hidden = false; });
    video.src = URL.createObjectURL(blob);
  }
}

window.page = new Page();
