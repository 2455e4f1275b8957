"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SIDES = ["left", "right", "middle"];
  const SLOWEST = 12; // poses per second; clips thinned out further than that are shown in time-lapse
  const config = { responsive: true, displayModeBar: false, scrollZoom: false };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const byId = (id) => document.getElementById(id);
  const onThemeChange = [];

  const plain = (text) => text.replace(/[<>&]/g, " "); // Plotly reads tags in its texts

  /** Poses of a clip as points[pose][joint] = [x, y, z], or null where there was nobody. */
  function decode(clip) {
    const bytes = Uint8Array.from(atob(clip.pose), (letter) => letter.charCodeAt(0));
    const steps = new Int16Array(bytes.buffer);
    const joints = clip.joints.length;
    return clip.time.map((_, pose) => {
      const part = steps.subarray(pose * joints * 3, (pose + 1) * joints * 3);
      if (part.includes(data.missing)) return null;
      return clip.joints.map((_, joint) => Array.from(part.subarray(joint * 3, joint * 3 + 3), (step) => step * data.step));
    });
  }

  /** Bones of one side as a broken line: coordinate arrays with a gap after each bone. */
  function lines(clip, points, side) {
    const bones = clip.bones.filter((_, bone) => clip.sides[bone] === side);
    const along = (axis) => bones.flatMap(([a, b]) => (points ? [points[a][axis], points[b][axis], null] : [null, null, null]));
    return { x: along(0), y: along(1), z: along(2) };
  }

  function names(clip, side) {
    const bones = clip.bones.filter((_, bone) => clip.sides[bone] === side);
    return bones.flatMap(([a, b]) => [clip.joints[a], clip.joints[b], ""]);
  }

  function floor(clip) {
    const x = [], y = [], z = [];
    for (let step = -4; step <= 4; step += 1) {
      const at = (step / 4) * clip.reach;
      x.push(at, at, null, -clip.reach, clip.reach, null);
      y.push(-clip.reach, clip.reach, null, at, at, null);
      z.push(clip.floor, clip.floor, null, clip.floor, clip.floor, null);
    }
    return { type: "scatter3d", mode: "lines", hoverinfo: "skip", x, y, z, line: { width: 1.5, color: color("grid") } };
  }

  class Viewer {
    constructor() {
      this.figure = byId("figure");
      this.playing = false;
      this.held = false; // while somebody turns the scene
      data.clips.forEach((clip, number) => byId("clip").add(new Option(clip.name, number)));
      byId("clip").addEventListener("change", () => this.open(Number(byId("clip").value)));
      byId("play").addEventListener("click", () => this.play(!this.playing));
      byId("scrub").addEventListener("input", () => this.seek(Number(byId("scrub").value)));
      this.figure.addEventListener("pointerdown", () => { this.held = true; }, true);
      for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => { this.held = false; }, true);
      onThemeChange.push(() => this.draw());
      this.open(0);
    }

    open(number) {
      this.clip = data.clips[number];
      this.points = decode(this.clip);
      const time = this.clip.time;
      const rate = time.length > 1 ? (time.length - 1) / (time.at(-1) - time[0]) : SLOWEST;
      this.speed = Math.max(1, SLOWEST / rate);
      byId("scrub").max = time.length - 1;
      this.seek(0);
      this.draw();
    }

    draw() {
      const skeleton = SIDES.map((side) => ({
        type: "scatter3d", mode: "lines+markers", name: side, text: names(this.clip, side), hoverinfo: "text",
        line: { width: 9, color: color(side) }, marker: { size: 4, color: color(side) },
        ...lines(this.clip, this.points[this.shown], side),
      }));
      const { reach, floor: ground } = this.clip;
      const axis = (low, high) => ({ visible: false, range: [low, high] });
      const layout = {
        margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, uirevision: this.clip.name,
        paper_bgcolor: "rgba(0,0,0,0)",
        scene: {
          xaxis: axis(-reach, reach), yaxis: axis(-reach, reach), zaxis: axis(ground - 0.1 * reach, ground + 1.9 * reach),
          aspectmode: "cube", camera: { eye: { x: 0.53, y: -1.4, z: 0.28 }, center: { x: 0, y: 0, z: -0.12 } },
        },
      };
      return Plotly.react(this.figure, [floor(this.clip), ...skeleton], layout, config);
    }

    /** Show the pose with this number; resolves when it is drawn. */
    async seek(pose) {
      this.shown = pose;
      this.clock = this.clip.time[pose];
      byId("scrub").value = pose;
      const lapse = this.speed > 1 ? ` · time-lapse ×${this.speed.toFixed(0)}` : "";
      byId("moment").textContent = `${this.clock.toFixed(2)} s${this.points[pose] ? "" : " · nobody"}${lapse}`;
      if (!this.figure.data) return;
      const sides = SIDES.map((side) => lines(this.clip, this.points[pose], side));
      const all = (axis) => sides.map((line) => line[axis]);
      await Plotly.restyle(this.figure, { x: all("x"), y: all("y"), z: all("z") }, [1, 2, 3]);
    }

    play(on) {
      this.playing = on;
      byId("play").textContent = on ? "Pause" : "Play";
      byId("play").setAttribute("aria-pressed", String(on));
      let last = performance.now();
      const step = async (now) => {
        if (!this.playing) return;
        const clock = this.clock + (this.held ? 0 : Math.min(now - last, 250) / 1000 * this.speed);
        last = now;
        const time = this.clip.time;
        let pose = this.shown;
        while (pose + 1 < time.length && time[pose + 1] <= clock) pose += 1;
        if (pose !== this.shown) await this.seek(pose);
        this.clock = clock;
        if (pose + 1 === time.length && clock > time[pose] + 0.5) await this.seek(0); // a short rest, then again
        requestAnimationFrame(step);
      };
      if (on) requestAnimationFrame(step);
    }
  }

  function drawLosses() {
    const { terms, phases } = data.losses;
    const epochs = terms.total.map((_, epoch) => epoch + 1);
    const curves = Object.entries(terms).map(([name, y]) => ({
      name: plain(name), x: epochs, y, mode: epochs.length > 1 ? "lines" : "markers",
      line: name === "total" ? { width: 3, color: color("ink") } : { width: 1.5 },
    }));
    const positive = Object.values(terms).flat().every((value) => value === null || value > 0);
    const axis = { gridcolor: color("line"), zeroline: false };
    const layout = {
      margin: { l: 60, r: 10, t: 30, b: 45 }, font: { color: color("ink") }, hovermode: "x unified",
      hoverlabel: { bgcolor: color("card") }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      legend: { orientation: "h", y: -0.25 },
      colorway: ["#3b8ee0", "#e0802f", "#2fa37c", "#b565c9", "#c9a227", "#d95b73", "#5aa9b8"],
      xaxis: { ...axis, title: { text: "epoch" } },
      yaxis: { ...axis, title: { text: "loss" }, type: positive ? "log" : "linear" },
      shapes: phases.slice(1).map(({ start }) => ({
        type: "line", x0: start - 0.5, x1: start - 0.5, yref: "paper", y0: 0, y1: 1, line: { dash: "dot", color: color("soft") },
      })),
      annotations: phases.map(({ name, start }) => ({
        text: plain(name), x: start, xanchor: "left", yref: "paper", y: 1.08, showarrow: false,
      })),
    };
    return Plotly.react(byId("losses"), curves, layout, config);
  }

  if (data.clips.length) window.viewer = new Viewer();
  if (byId("losses")) {
    drawLosses();
    onThemeChange.push(drawLosses);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => onThemeChange.forEach((draw) => draw()));
})();
