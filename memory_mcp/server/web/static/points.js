// Points on a canvas, written pixel by pixel: 100,000 take a few milliseconds. Places are 0-65535 on both axes.
const SIDE = 256;
const SHIFT = 8;
const FULL = 65536;

// Points by cells of a grid, so that only those in view are looked at.
export class Cloud {
  constructor({ xs, ys, categories }) {
    Object.assign(this, { xs, ys, categories, count: xs.length });
    this.starts = new Uint32Array(SIDE * SIDE + 1);
    const cells = new Uint16Array(this.count);
    for (let at = 0; at < this.count; at++) {
      cells[at] = (ys[at] >> SHIFT) * SIDE + (xs[at] >> SHIFT);
      this.starts[cells[at] + 1]++;
    }
    for (let cell = 0; cell < SIDE * SIDE; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.order = new Uint32Array(this.count);
    for (let at = 0; at < this.count; at++) this.order[next[cells[at]]++] = at;
    this.hidden = new Set();
    this.selected = null;
  }

  // Calls visit(point) for each point of a rectangle's cells.
  within(left, top, right, bottom, visit) {
    const cell = (value) => Math.max(0, Math.min(SIDE - 1, value >> SHIFT));
    if (right < 0 || bottom < 0 || left >= FULL || top >= FULL) return;
    const [first, last] = [cell(left), cell(right)];
    for (let row = cell(top); row <= cell(bottom); row++) {
      const end = this.starts[row * SIDE + last + 1];
      for (let place = this.starts[row * SIDE + first]; place < end; place++) visit(this.order[place]);
    }
  }

  isShown(point) { return !this.hidden.has(this.categories[point]); }
}

// What part of the plane a canvas shows: `scale` pixels for one unit, the plane's (x, y) in the middle.
export class View {
  constructor() { this.width = this.height = 1; this.all(); }

  all() { this.x = this.y = FULL / 2; this.scale = (Math.min(this.width, this.height) / FULL) * 0.94; this.is_all = true; }

  resize(width, height) {
    Object.assign(this, { width, height });
    if (this.is_all) this.all();
  }

  bounds(more = 0) {
    const [wide, tall] = [this.width / 2 / this.scale + more, this.height / 2 / this.scale + more];
    return [this.x - wide, this.y - tall, this.x + wide, this.y + tall];
  }

  move(right, down) { this.x -= right / this.scale; this.y -= down / this.scale; this.keep(); }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const least = (Math.min(this.width, this.height) / FULL) * 0.5;
    const scale = Math.max(least, Math.min(factor * this.scale, least * 4000));
    this.x += (x - this.width / 2) * (1 / this.scale - 1 / scale);
    this.y += (y - this.height / 2) * (1 / this.scale - 1 / scale);
    this.scale = scale;
    this.keep();
  }

  keep() {
    this.is_all = false;
    this.x = Math.max(0, Math.min(FULL, this.x));
    this.y = Math.max(0, Math.min(FULL, this.y));
  }

  toScreen(x, y) { return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2]; }

  toPlane(x, y) { return [(x - this.width / 2) / this.scale + this.x, (y - this.height / 2) / this.scale + this.y]; }
}

// The pixels of a disc, as offsets from its middle.
function disc(radius) {
  const found = [];
  const most = Math.ceil(radius);
  for (let y = -most; y <= most; y++) for (let x = -most; x <= most; x++) if (x * x + y * y <= radius * radius + 0.3) found.push([x, y]);
  return found;
}

function radius(cloud, view, pixels) {
  const least = (Math.min(view.width, view.height) / FULL) * 0.94;
  const usual = cloud.count > 50000 ? 0.7 : cloud.count > 10000 ? 1.1 : cloud.count > 1000 ? 1.8 : 3;
  return Math.min(7, usual * (view.scale / least) ** 0.3) * pixels;
}

// Draw into a canvas whose pixels are `pixels` to one of CSS; colours are [r, g, b] by category.
export function paint(canvas, cloud, view, pixels, colours, faint) {
  const [width, height] = [canvas.width, canvas.height];
  const pen = canvas.getContext('2d');
  const image = pen.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  const pack = ([red, green, blue], alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  const strong = colours.map((each) => pack(each, 255));
  const weak = pack(faint, 90);
  const size = radius(cloud, view, pixels);
  const marks = disc(size);
  const jumps = Int32Array.from(marks, ([x, y]) => y * width + x);
  const border = Math.ceil(size) + 1;
  const scale = view.scale * pixels;
  const [dx, dy] = [width / 2 - view.x * scale, height / 2 - view.y * scale];
  const { xs, ys, categories, selected, hidden } = cloud;
  const shown = strong.map((_, at) => !hidden.has(at));
  const put = (point, colour) => {
    const x = (xs[point] * scale + dx) | 0;
    const y = (ys[point] * scale + dy) | 0;
    if (x < border || y < border || x >= width - border || y >= height - border) return;
    const middle = y * width + x;
    for (let at = 0; at < jumps.length; at++) words[middle + jumps[at]] = colour;
  };
  const bounds = view.bounds(border / scale);
  if (selected) {
    cloud.within(...bounds, (point) => { if (shown[categories[point]] && !selected[point]) put(point, weak); });
    cloud.within(...bounds, (point) => { if (shown[categories[point]] && selected[point]) put(point, strong[categories[point]]); });
  } else cloud.within(...bounds, (point) => { if (shown[categories[point]]) put(point, strong[categories[point]]); });
  pen.putImageData(image, 0, 0);
}

export function nearest(cloud, view, x, y, reach = 10) {
  const [px, py] = view.toPlane(x, y);
  const far = reach / view.scale;
  let [best, least] = [-1, far * far];
  cloud.within(px - far, py - far, px + far, py + far, (point) => {
    const away = (cloud.xs[point] - px) ** 2 + (cloud.ys[point] - py) ** 2;
    if (away <= least && cloud.isShown(point)) { best = point; least = away; }
  });
  return best;
}

// The points within a polygon of places on the plane.
export function enclosed(cloud, polygon) {
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  const found = [];
  cloud.within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (point) => {
    if (!cloud.isShown(point)) return;
    const [x, y] = [cloud.xs[point], cloud.ys[point]];
    let inside = false;
    for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at++) {
      if (ys[at] > y !== ys[before] > y && x < ((xs[before] - xs[at]) * (y - ys[at])) / (ys[before] - ys[at]) + xs[at]) inside = !inside;
    }
    if (inside) found.push(point);
  });
  return found;
}

export function visible(cloud, view) {
  const [left, top, right, bottom] = view.bounds();
  const found = [];
  cloud.within(left, top, right, bottom, (point) => {
    if (cloud.xs[point] >= left && cloud.xs[point] <= right && cloud.ys[point] >= top && cloud.ys[point] <= bottom && cloud.isShown(point)) found.push(point);
  });
  return found;
}
