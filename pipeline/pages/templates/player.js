/** Which frame of a clip is shown: it plays, stops, steps and jumps. With a video, the picture on view says which. */
class Player {
  /** Times in s of the frames, and what to do when another one is to be shown. */
  constructor(time, onFrame) {
    Object.assign(this, { onFrame, playing: false, speed: 1, video: null });
    this.controls();
    this.open(time);
  }

  open(time) {
    this.time = time;
    byId("scrub").max = this.last;
    this.show(0);
  }

  get last() {
    return this.time.length - 1;
  }

  show(frame) {
    this.frame = frame;
    this.clock = this.time[frame];
    byId("scrub").value = frame;
    this.onFrame(frame);
  }

  /** From now on a video whose frames have these times leads. */
  follow(video) {
    this.video = video;
    video.playbackRate = this.speed;
    video.addEventListener("seeked", () => { if (this.wanted !== null) this.jump(); });
    video.addEventListener("error", () => { this.video = null; }); // the clock goes on
    const next = (look) => {
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback((_, { mediaTime }) => look(mediaTime));
      else requestAnimationFrame(() => look(video.currentTime)); // older browsers do not say which picture it is
    };
    const look = (seconds) => {
      this.pictured = this.nearest(seconds);
      if (this.playing) this.show(this.pictured);
      this.onPicture?.(this.pictured);
      next(look);
    };
    next(look);
    this.seek(this.frame);
    if (this.playing) video.play();
  }

  nearest(seconds) {
    let low = 0, high = this.last;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.time[middle] <= seconds + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low < this.last && this.time[low + 1] - seconds < seconds - this.time[low] ? low + 1 : low;
  }

  seek(frame) {
    this.show(Math.max(0, Math.min(this.last, frame)));
    this.wanted = this.frame;
    if (this.video && !this.video.seeking) this.jump();
  }

  /** Move the video to the middle of the wanted frame's time; while it moves, later wishes wait. */
  jump() {
    const from = this.time[this.wanted], to = this.time[this.wanted + 1] ?? from + 0.001;
    this.wanted = null;
    this.video.currentTime = (from + to) / 2;
  }

  step(frames) {
    this.play(false);
    this.seek(this.frame + frames);
  }

  play(on) {
    if (on === this.playing) return;
    this.playing = on;
    byId("play").setAttribute("aria-pressed", String(on));
    byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
    if (this.video) {
      if (on) this.video.play();
      else {
        this.video.pause();
        this.seek(this.pictured ?? this.frame);
      }
    }
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      if (!this.video) this.advance((Math.min(now - before, 250) / 1000) * this.speed);
      before = now;
      requestAnimationFrame(tick);
    };
    if (on) requestAnimationFrame(tick);
  }

  /** Without a video: on by some seconds, and from the end to the beginning. */
  advance(seconds) {
    const clock = this.clock + seconds;
    let frame = this.frame;
    while (frame < this.last && this.time[frame + 1] <= clock) frame += 1;
    if (frame !== this.frame) this.show(frame);
    this.clock = clock;
    if (frame === this.last && clock > this.time[frame] + 0.3) this.show(0);
  }

  pace(speed) {
    this.speed = speed;
    if (this.video) this.video.playbackRate = speed;
  }

  controls() {
    const scrub = byId("scrub"), speed = byId("speed");
    byId("play").addEventListener("click", () => this.play(!this.playing));
    byId("back").addEventListener("click", () => this.step(-1));
    byId("forth").addEventListener("click", () => this.step(1));
    scrub.addEventListener("input", () => { this.play(false); this.seek(Number(scrub.value)); });
    speed.addEventListener("change", () => this.pace(Number(speed.value)));
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, summary")) return;
      if (event.key === " " && event.target.closest("button")) return; // which it presses
      const key = this.keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!key) return;
      key(event.shiftKey);
      event.preventDefault();
    });
  }

  /** What keys do, given whether Shift is held. */
  keys = {
    " ": () => this.play(!this.playing),
    ArrowLeft: (far) => this.step(far ? -10 : -1),
    ArrowRight: (far) => this.step(far ? 10 : 1),
    Home: () => this.step(-Infinity),
    End: () => this.step(Infinity),
    "<": () => this.faster(-1),
    ">": () => this.faster(1),
  };

  faster(steps) {
    const { options, selectedIndex } = byId("speed");
    byId("speed").selectedIndex = Math.max(0, Math.min(options.length - 1, selectedIndex + steps));
    this.pace(Number(byId("speed").value));
  }
}

function byId(id) {
  return document.getElementById(id);
}
