// Poses in their pocket on a canvas: sticks, far ones first, towards the
// background with distance. Turned by one finger or the mouse, moved by two
// fingers or with Shift, enlarged by two fingers or the wheel.
(() => {
  const scenes = JSON.parse(document.getElementById('scenes').textContent);
  const view = document.getElementById('view');
  if (!view) return;
  const canvas = view.querySelector('canvas');
  const empty = view.querySelector('p');
  const pen = canvas.getContext('2d');
  const choice = document.getElementById('compound');
  const withPocket = document.getElementById('pocket');
  const panels = [...document.querySelectorAll('.panel')];

  const ELEMENTS = {
    1: [190, 190, 190], 5: [230, 150, 130], 7: [48, 80, 220],
    8: [225, 50, 50], 9: [80, 185, 80], 15: [235, 135, 30],
    16: [205, 175, 30], 17: [40, 175, 60], 35: [150, 55, 45],
    53: [135, 45, 150],
  };
  const SYMBOLS = {
    1: 'H', 5: 'B', 6: 'C', 7: 'N', 8: 'O', 9: 'F', 14: 'Si', 15: 'P',
    16: 'S', 17: 'Cl', 34: 'Se', 35: 'Br', 53: 'I',
  };
  const LIGHT = [217, 217, 217];
  const DARK = [203, 24, 29];
  const mix = (one, other, share) =>
    one.map((value, k) => Math.round(value + share * (other[k] - value)));
  const css = (colour) => `rgb(${colour.join(',')})`;
  const clip = (share) => Math.min(Math.max(share, 0), 1);

  let scene = null;
  let panel = null;
  let turn, zoom, shift, radius;
  let back = [255, 255, 255];
  let atoms = []; // on the screen, for what is under the pointer

  const reset = () => {
    turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    zoom = 1;
    shift = [0, 0];
    radius = 1;
    for (const pose of scene?.poses ?? []) {
      for (const value of pose.xyz) radius = Math.max(radius, Math.abs(value));
    }
    draw();
  };
  const rotate = (dx, dy) => {
    const [cx, sx] = [Math.cos(dy), Math.sin(dy)];
    const [cy, sy] = [Math.cos(dx), Math.sin(dx)];
    const [a, b, c] = turn;
    const tilted = [
      a, b.map((v, k) => cx * v - sx * c[k]), b.map((v, k) => sx * v + cx * c[k]),
    ];
    turn = [
      tilted[0].map((v, k) => cy * v + sy * tilted[2][k]), tilted[1],
      tilted[2].map((v, k) => cy * v - sy * tilted[0][k]),
    ];
  };

  let asked = false;
  const draw = () => {
    if (!asked) requestAnimationFrame(paint);
    asked = true;
  };

  // Places of a molecule on the screen: x, y, scale, nearness.
  const project = (xyz, width, height) => {
    const size = (0.43 * Math.min(width, height) * zoom) / radius;
    const far = 4 * radius;
    const out = [];
    for (let k = 0; k < xyz.length; k += 3) {
      const [x, y, z] = turn.map(
        (row) => row[0] * xyz[k] + row[1] * xyz[k + 1] + row[2] * xyz[k + 2]);
      const scale = (size * far) / Math.max(far - z, 0.1 * far);
      out.push([
        width / 2 + shift[0] + x * scale, height / 2 + shift[1] - y * scale,
        scale, z,
      ]);
    }
    return out;
  };
  const sticks = (molecule, places, colour, thick, edge, out) => {
    const half = (from, to, middle, z) => out.push({
      from, to: middle, depth: (3 * from[3] + to[3]) / 4, edge,
      colour: ELEMENTS[z] ?? colour, width: thick * 100 * from[2],
    });
    const bonded = new Set(molecule.bonds);
    for (let k = 0; k < molecule.bonds.length; k += 2) {
      const [i, j] = [molecule.bonds[k], molecule.bonds[k + 1]];
      const [one, two] = [places[i], places[j]];
      const middle = one.map((value, n) => (value + two[n]) / 2);
      half(one, two, middle, molecule.z[i]);
      half(two, one, middle, molecule.z[j]);
    }
    molecule.z.forEach((z, i) => { // ions, waters
      if (!bonded.has(i)) half(places[i], places[i], places[i], z);
    });
  };

  const paint = () => {
    asked = false;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!scene) return;
    back = getComputedStyle(view).backgroundColor.match(/\d+/g).slice(0, 3).map(Number);
    const bright = back[0] > 127;
    const parts = [];
    atoms = [];
    if (scene.pocket && withPocket.checked) {
      const grey = bright ? [150, 160, 172] : [122, 134, 148];
      const places = project(scene.pocket.xyz, width, height);
      sticks(scene.pocket, places, grey, 0.07, false, parts);
      atoms.push(...places.map((place, k) => [place, `${SYMBOLS[scene.pocket.z[k]] ?? ''} of the receptor`]));
    }
    for (const pose of scene.poses) {
      const box = panel.querySelector(`input[data-pose="${pose.pose}"]`);
      if (!box?.checked) continue;
      const weight = clip(Number(box.dataset.weight));
      const places = project(pose.xyz, width, height);
      sticks(pose, places, mix(LIGHT, DARK, weight), 0.12 + 0.1 * weight, true, parts);
      atoms.push(...places.map((place, k) => [place, `${SYMBOLS[pose.z[k]] ?? 'atom'} of pose ${pose.pose}, weight ${box.dataset.weight}`]));
    }
    parts.sort((one, two) => one.depth - two.depth);
    pen.lineCap = 'round';
    const black = bright ? [40, 40, 50] : [10, 10, 14];
    for (const { from, to, depth, colour, width: wide, edge } of parts) {
      const fog = clip(0.34 - (0.5 * depth) / radius) * (edge ? 0.6 : 0.95);
      const stroke = (line, shade) => {
        pen.strokeStyle = css(mix(shade, back, fog));
        pen.lineWidth = line;
        pen.beginPath();
        pen.moveTo(from[0], from[1]);
        pen.lineTo(to[0], to[1]);
        pen.stroke();
      };
      if (edge) stroke(wide + 1.6, mix(colour, black, 0.55));
      stroke(Math.max(wide, 1), colour);
      if (edge) stroke(wide * 0.35, mix(colour, [255, 255, 255], 0.4));
    }
  };

  const show = (number) => {
    scene = scenes[number];
    panels.forEach((one, k) => { one.hidden = k !== number; });
    panel = panels[number];
    empty.hidden = Boolean(scene);
    withPocket.disabled = !scene?.pocket;
    reset();
  };
  choice.addEventListener('change', () => show(Number(choice.value)));
  withPocket.addEventListener('change', draw);
  document.getElementById('reset').addEventListener('click', reset);
  document.getElementById('heaviest').addEventListener('click', () => {
    const boxes = [...panel.querySelectorAll('input[data-pose]')];
    const top = Math.max(...boxes.map((box) => Number(box.dataset.weight)));
    const alone = boxes.every((box) => box.checked === (Number(box.dataset.weight) === top));
    for (const box of boxes) box.checked = alone || Number(box.dataset.weight) === top;
    draw();
  });
  for (const one of panels) one.addEventListener('change', draw);
  addEventListener('themechange', draw);
  new ResizeObserver(draw).observe(canvas);

  const fingers = new Map();
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    hideTip();
  });
  const up = (event) => fingers.delete(event.pointerId);
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
  canvas.addEventListener('pointerleave', () => hideTip());
  canvas.addEventListener('pointermove', (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return pick(event);
    const now = [event.clientX, event.clientY];
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (fingers.size === 2) {
      const [[, other]] = [...fingers].filter(([id]) => id !== event.pointerId);
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
      enlarge(apart(now) / Math.max(apart(before), 1));
      shift = [shift[0] + dx / 2, shift[1] + dy / 2];
    } else if (event.shiftKey || event.buttons === 2) {
      shift = [shift[0] + dx, shift[1] + dy];
    } else {
      rotate(dx * 0.01, dy * 0.01);
    }
    fingers.set(event.pointerId, now);
    draw();
  });
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  const enlarge = (factor) => {
    zoom = Math.min(Math.max(zoom * factor, 0.2), 20);
    draw();
  };
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    enlarge(Math.exp(-event.deltaY * 0.0015));
  }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    const turns = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (turns[event.key]) rotate(...turns[event.key]);
    else if (event.key === '+') enlarge(1.15);
    else if (event.key === '-') enlarge(1 / 1.15);
    else if (event.key === '0') reset();
    else return;
    event.preventDefault();
    draw();
  });
  const pick = (event) => {
    const box = canvas.getBoundingClientRect();
    let best = null;
    let reach = 64;
    for (const [[x, y, , depth], text] of atoms) {
      const apart = (x - event.clientX + box.left) ** 2 + (y - event.clientY + box.top) ** 2;
      if (apart < 64 && apart - depth / 100 < reach) {
        reach = apart - depth / 100;
        best = text;
      }
    }
    if (best) showTip(best, event.clientX, event.clientY);
    else hideTip();
  };
  show(0);
})();
