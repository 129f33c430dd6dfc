// Light or dark, and what is shown over the points of charts.
(() => {
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let chosen = null;
  const paint = () => {
    root.dataset.theme = chosen ?? (dark.matches ? 'dark' : 'light');
    dispatchEvent(new Event('themechange'));
  };
  dark.addEventListener('change', paint);
  document.getElementById('theme').addEventListener('click', () => {
    chosen = root.dataset.theme === 'dark' ? 'light' : 'dark';
    paint();
  });
  paint();

  const tip = document.getElementById('tip');
  let near = null;
  const hide = () => {
    tip.hidden = true;
    near?.classList.remove('near');
    near = null;
  };
  window.showTip = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - box.width - 8);
    const top = y - box.height - 12;
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${top < 8 ? y + 18 : top}px`;
  };
  window.hideTip = hide;

  // The point that is nearest to a finger or a pointer, within its reach.
  const find = (svg, event) => {
    const direct = event.target.closest('[data-tip]');
    if (direct) return direct;
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    let best = null;
    let reach = (event.pointerType === 'touch' ? 24 : 12) ** 2;
    for (const point of svg.querySelectorAll('circle[data-tip]')) {
      const dx = point.getAttribute('cx') - x;
      const dy = point.getAttribute('cy') - y;
      if (dx * dx + dy * dy < reach) {
        reach = dx * dx + dy * dy;
        best = point;
      }
    }
    return best;
  };
  const look = (event) => {
    const svg = event.target.closest?.('svg.chart');
    const found = svg && find(svg, event);
    if (found !== near) hide();
    if (!found) return;
    near = found;
    near.classList.add('near');
    showTip(near.dataset.tip, event.clientX, event.clientY);
  };
  document.addEventListener('pointermove', (event) => {
    if (!event.target.closest?.('canvas')) look(event);
  });
  document.addEventListener('pointerdown', look);
  addEventListener('scroll', hide, { passive: true });
})();
