const data = JSON.parse(byId("data").textContent);

/** The 3D skeleton of a clip at a time. */
class Page {
  constructor() {
    this.scene = new Scene(byId("scene"));
    data.clips.forEach((clip, number) => byId("clip").add(new Option(clip.name, number)));
    byId("clip").addEventListener("change", () => this.open(Number(byId("clip").value)));
    this.player = new Player([0], (frame) => this.show(frame));
    this.open(0);
  }

  open(number) {
    this.clip = data.clips[number];
    this.scene.show([new Body(this.clip, data.skeleton)]);
    this.player.open(this.clip.time);
  }

  show(frame) {
    if (!this.clip) return;
    this.scene.frame = frame;
    this.scene.draw();
    const nobody = this.scene.bodies[0].at(frame) ? "" : " · nobody";
    byId("moment").textContent = `${this.clip.time[frame].toFixed(2)} s${nobody}`;
    byId("scrub").setAttribute("aria-valuetext", `${this.clip.time[frame].toFixed(2)} seconds`);
  }
}

if (byId("scene")) window.page = new Page();
