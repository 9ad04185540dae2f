// Bars and lines on a canvas, in the page's colours. A canvas says nothing to a screen reader: show the numbers as text too.
import { colour } from './ui.js';

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

// The canvas at the screen's resolution; returns {pen, width, height} in CSS pixels.
export function paper(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext('2d');
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = '12px system-ui, sans-serif';
  return { pen, width, height };
}

// Draw again whenever the size or the theme changes; returns what stops it.
export function keepDrawn(element, draw) {
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  document.addEventListener('themechange', draw);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', draw);
  return () => { observer.disconnect(); document.removeEventListener('themechange', draw); dark.removeEventListener('change', draw); };
}

// Round numbers up to a maximum, at least so far apart, for the lines behind a chart.
function steps(most, least = 0, wanted = 4) {
  if (!(most > 0)) return [0];
  const rough = Math.max(most / wanted, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = 0; at <= most * 1.0001; at += step) found.push(Math.round(at * 1e6) / 1e6);
  return found;
}

export function grid(pen, area, most, { format = compact.format, least = 0 } = {}) {
  pen.lineWidth = 1;
  pen.textAlign = 'right';
  pen.textBaseline = 'middle';
  for (const value of steps(most, least)) {
    const y = Math.round(area.bottom - (value / (most || 1)) * (area.bottom - area.top)) + 0.5;
    pen.strokeStyle = colour('--line');
    pen.beginPath(); pen.moveTo(area.left, y); pen.lineTo(area.right, y); pen.stroke();
    pen.fillStyle = colour('--dim');
    pen.fillText(format(value), area.left - 6, y);
  }
}

// Names below, as many as fit; the last one is always there.
export function names(pen, area, labels, centre) {
  pen.textBaseline = 'top';
  pen.fillStyle = colour('--dim');
  let free = -Infinity;
  labels.forEach((label, at) => {
    if (!label) return;
    const half = pen.measureText(label).width / 2;
    const x = Math.min(Math.max(centre(at), area.left + half), area.right - half);
    if (x - half < free) return;
    pen.textAlign = 'center';
    pen.fillText(label, x, area.bottom + 6);
    free = x + half + 12;
  });
}

// Lines over time: lines(canvas, [{name, colour: '--c1', values: [1, null, 3]}], {labels, format}).
// The series have as many values as there are labels; null is a gap. For latencies give {format: (ms) => `${ms} ms`}.
export function lines(canvas, series, { labels = [], format = compact.format } = {}) {
  const { pen, width, height } = paper(canvas);
  const area = { left: 52, right: width - 8, top: 10, bottom: height - 24 };
  const all = series.flatMap((each) => each.values).filter((value) => value != null);
  const most = Math.max(...all, 0) * 1.08 || 1;
  grid(pen, area, most, { format });
  const count = Math.max(...series.map((each) => each.values.length), 2);
  const x = (at) => area.left + (at / (count - 1)) * (area.right - area.left);
  const y = (value) => area.bottom - (value / most) * (area.bottom - area.top);
  names(pen, area, labels, x);
  for (const each of series) {
    pen.strokeStyle = pen.fillStyle = colour(each.colour);
    pen.lineWidth = 2;
    pen.lineJoin = 'round';
    pen.beginPath();
    let open = false;
    each.values.forEach((value, at) => {
      if (value == null) { open = false; return; }
      if (open) pen.lineTo(x(at), y(value));
      else pen.moveTo(x(at), y(value));
      open = true;
    });
    pen.stroke();
    each.values.forEach((value, at) => {
      const alone = value != null && each.values[at - 1] == null && each.values[at + 1] == null;
      if (alone) { pen.beginPath(); pen.arc(x(at), y(value), 2.5, 0, 7); pen.fill(); }
    });
  }
}
