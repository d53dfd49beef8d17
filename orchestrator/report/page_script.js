
// The charts of a report, drawn by D3 (5 to 7) from the numbers in #data. Colours are
// classes of the page's style; text goes in by .text() alone.
(function () {
  'use strict';
  // What controls or reorders text is shown by its number.
  var controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  var data = JSON.parse(document.getElementById('data').textContent, function (_, v) {
    return typeof v !== 'string' ? v :
      v.replace(controls, function (c) { return '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4); });
  });
  var classes = ['buggy', 'abandoned', 'no-improvement', 'first-valid', 'improved', 'other'];
  var titles = { buggy: 'buggy', abandoned: 'given up', 'no-improvement': 'no improvement',
    'first-valid': 'first valid', improved: 'improved', other: 'does not count' };

  function unique(list) { return list.filter(function (x, i) { return list.indexOf(x) === i; }); }
  function known(x) { return x !== null && isFinite(x); }
  function number(x) { return (Math.round(x * 100) < 0 ? '−' : '') + Math.abs(x).toFixed(2); }
  function cut(text, n) { return text.length > n ? text.slice(0, n - 1) + '…' : text; }
  // From 0 to 1 at least; an interval may widen it by a span of the estimates, and no more.
  function domain(points) {
    var seen = points.map(function (p) { return p.x; }).filter(known).concat([0, 1]);
    var low = d3.min(seen), high = d3.max(seen), span = high - low;
    points.forEach(function (p) {
      if (known(p.low)) low = Math.min(low, Math.max(p.low, d3.min(seen) - span / 2));
      if (known(p.high)) high = Math.max(high, Math.min(p.high, d3.max(seen) + span / 2));
    });
    return [low - 0.04 * (high - low), high + 0.04 * (high - low)];
  }
  function picture(into, width, height, label) {
    return d3.select(into).append('svg').attr('viewBox', '0 0 ' + width + ' ' + height)
      .attr('width', width).attr('height', height).attr('role', 'img').attr('aria-label', label);
  }
  function key(figure, names, style) {
    var spans = d3.select(figure).append('div').attr('class', 'key').selectAll('span').data(names)
      .enter().append('span');
    spans.append('svg').attr('viewBox', '0 0 10 10').append('circle').attr('cx', 5).attr('cy', 5).attr('r', 5)
      .attr('class', style);
    spans.append('span').text(function (d) { return titles[d] || d; });
  }
  function colour(names) { return function (name) { return 'c' + (names.indexOf(name) % 8); }; }
  function said(p) {
    return (p.name ? p.name + ': ' : '') + 'FSR ' + number(p.x) +
      (known(p.low) && known(p.high) ? ' [' + number(p.low) + ', ' + number(p.high) + ']' : '');
  }

  // Rows of points with whiskers on one axis of FSR. rows: [{label, points: [{x, low, high, style, hollow}]}]
  function forest(figure, rows, label) {
    var left = 16 + 7.2 * d3.max(rows, function (r) { return cut(r.label, 42).length; });
    var width = 900, step = 22, top = 22, bottom = top + step * rows.length;
    var points = [].concat.apply([], rows.map(function (r) { return r.points; }));
    var x = d3.scaleLinear(domain(points), [left, width - 16]).clamp(true);
    var svg = picture(figure, width, bottom + 34, label);
    svg.append('g').attr('class', 'soft').attr('transform', 'translate(0,' + bottom + ')').call(d3.axisBottom(x).ticks(8));
    svg.append('text').attr('class', 'soft').attr('x', width - 16).attr('y', bottom + 32).attr('text-anchor', 'end').text('FSR');
    [[0, 'zero'], [1, 'one']].forEach(function (at) {
      svg.append('line').attr('class', at[1]).attr('x1', x(at[0])).attr('x2', x(at[0])).attr('y1', top - 8).attr('y2', bottom);
    });
    rows.forEach(function (row, i) {
      var y = top + step * i + step / 2;
      svg.append('text').attr('x', left - 10).attr('y', y).attr('dy', '.35em').attr('text-anchor', 'end')
        .text(cut(row.label, 42)).append('title').text(row.label);
      if (row.none) svg.append('text').attr('class', 'soft').attr('x', (x(0) + x(1)) / 2).attr('y', y).attr('dy', '.35em')
        .attr('text-anchor', 'middle').text(row.none);
      row.points.forEach(function (p) { mark(svg, p, x(p.x), y + (p.shift || 0), x, true); });
    });
  }
  function mark(svg, p, cx, cy, scale, flat) {
    if (known(p.low) && known(p.high)) {
      svg.append('line').attr('class', 'whisker ' + p.style)
        .attr('x1', flat ? scale(p.low) : cx).attr('x2', flat ? scale(p.high) : cx)
        .attr('y1', flat ? cy : scale(p.low)).attr('y2', flat ? cy : scale(p.high));
    }
    svg.append('circle').attr('cx', cx).attr('cy', cy).attr('r', p.hollow ? 3.5 : 4.5)
      .attr('class', p.style + (p.hollow ? ' hollow' : '')).append('title').text(said(p));
  }

  function drawMean(figure) {
    var cells = data.groups.filter(function (g) { return g.by === 'cell' && known(g.mean.estimate); });
    if (!cells.length) return false;
    var searches = unique(data.groups.filter(function (g) { return g.by === 'search'; }).map(function (g) { return g.search; }))
      .filter(function (s) { return cells.some(function (c) { return c.search === s; }); });
    var all = cells.map(function (c) { return { x: c.mean.estimate, low: c.mean.low, high: c.mean.high }; });
    var style = colour(searches);
    key(figure, searches, style);
    var row = d3.select(figure).append('div').attr('class', 'row').node();
    unique(cells.map(function (c) { return c.model; })).forEach(function (model) {
      var mine = cells.filter(function (c) { return c.model === model; });
      var hints = data.groups.filter(function (g) { return g.by === 'hints'; }).map(function (g) { return g.hints; })
        .filter(function (h) { return mine.some(function (c) { return c.hints === h; }); });
      var width = Math.min(900, 60 + Math.max(200, hints.length * Math.max(70, 18 * searches.length))), height = 280;
      var x = d3.scaleBand(hints, [48, width - 12]).padding(0.25), y = d3.scaleLinear(domain(all), [height - 52, 30]).clamp(true);
      var within = d3.scalePoint(searches, [0, x.bandwidth()]).padding(0.5);
      var svg = picture(row, width, height, 'Mean FSR of ' + model + ' by hints and search');
      svg.append('text').attr('x', 48).attr('y', 16).attr('font-weight', 600).text(cut(model, Math.floor(width / 8))).append('title').text(model);
      svg.append('g').attr('class', 'soft').attr('transform', 'translate(48,0)').call(d3.axisLeft(y).ticks(6));
      svg.append('g').attr('class', 'soft').attr('transform', 'translate(0,' + (height - 52) + ')').call(d3.axisBottom(x).tickSize(0).tickPadding(10));
      svg.append('text').attr('class', 'soft').attr('x', (48 + width) / 2).attr('y', height - 8).attr('text-anchor', 'middle').text('hints');
      [[0, 'zero'], [1, 'one']].forEach(function (at) {
        svg.append('line').attr('class', at[1]).attr('x1', 48).attr('x2', width - 12).attr('y1', y(at[0])).attr('y2', y(at[0]));
      });
      mine.forEach(function (c) {
        mark(svg, { x: c.mean.estimate, low: c.mean.low, high: c.mean.high, style: style(c.search),
          name: c.search + ', hints ' + c.hints }, x(c.hints) + within(c.search), y(c.mean.estimate), y, false);
      });
    });
    return true;
  }

  function drawIqm(figure) {
    var kinds = ['model', 'hints', 'search', 'all'];
    var rows = data.groups.filter(function (g) { return g.by !== 'cell' && known(g.iqm.estimate); }).map(function (g) {
      var style = 'c' + kinds.indexOf(g.by);
      return { label: g.by === 'all' ? 'all' : g.by + ' ' + g[g.by], points: [
        { x: g.mean.estimate, low: g.mean.low, high: g.mean.high, style: style, hollow: true, shift: 5, name: 'mean' },
        { x: g.iqm.estimate, low: g.iqm.low, high: g.iqm.high, style: style, shift: -3, name: 'interquartile mean' }] };
    });
    if (rows.length) forest(figure, rows, 'Interquartile mean and mean of FSR by model, hints and search');
    return rows.length > 0;
  }

  function drawRecord(figure, task) {
    var mine = data.experiments.filter(function (e) { return e.task === task; });
    if (!mine.some(function (e) { return known(e.fsr); })) return false;
    var style = colour(unique(data.experiments.map(function (e) { return e.model; })));
    var models = unique(mine.filter(function (e) { return known(e.fsr); }).map(function (e) { return e.model; }));
    if (models.length > 1) key(figure, models, style);
    var rows = mine.map(function (e) {
      var names = [e.model, e.hints === '–' ? '' : 'hints ' + e.hints, e.search === '–' ? '' : e.search];
      return { label: e.id + ' ' + names.filter(Boolean).join(', '), none: known(e.fsr) ? null : e.worth,
        points: known(e.fsr) ? [{ x: e.fsr, low: e.low, high: e.high, style: style(e.model), name: e.id }] : [] };
    });
    forest(figure, rows, 'FSR of each experiment with its interval');
    return true;
  }

  function drawSteps(figure) {
    var series = data.steps.filter(function (s) { return s.steps.length; });
    if (!series.length) return false;
    var used = classes.filter(function (c) { return series.some(function (s) { return s.steps.some(function (n) { return n[c]; }); }); });
    key(figure, used, function (c) { return c; });
    var grid = d3.select(figure).append('div').attr('class', 'grid').node();
    var longest = Math.max(6, d3.max(series, function (s) { return s.steps.length; })), place = d3.range(1, longest + 1);
    series.forEach(function (s) {
      var width = 360, height = 200;
      var x = d3.scaleBand(place, [36, width - 8]).padding(0.15);
      var most = d3.max(s.steps, function (n) { return d3.sum(classes, function (c) { return n[c]; }); });
      var y = d3.scaleLinear([0, most], [height - 26, 26]).nice(Math.min(most, 5));
      var svg = picture(grid, width, height, 'Outcomes of versions of ' + s.model + ', ' + s.search);
      svg.append('text').attr('x', 8).attr('y', 15).attr('font-weight', 600)
        .text(cut(s.search === '–' ? s.model : s.model + ', ' + s.search, 48));
      svg.append('g').attr('class', 'soft').attr('transform', 'translate(36,0)').call(d3.axisLeft(y).ticks(Math.min(most, 5)).tickFormat(d3.format('d')));
      svg.append('g').attr('class', 'soft').attr('transform', 'translate(0,' + (height - 26) + ')')
        .call(d3.axisBottom(x).tickSizeOuter(0).tickValues(place.filter(function (n) { return place.length <= 20 || n % 5 === 0; })));
      s.steps.forEach(function (n, i) {
        var from = 0;
        used.slice().reverse().forEach(function (c) {
          if (!n[c]) return;
          svg.append('rect').attr('class', c).attr('x', x(i + 1)).attr('width', x.bandwidth())
            .attr('y', y(from + n[c])).attr('height', y(from) - y(from + n[c]))
            .append('title').text('version ' + (i + 1) + ': ' + n[c] + ' ' + titles[c]);
          from += n[c];
        });
      });
    });
    return true;
  }

  function drawSimilarity(figure) {
    var points = data.experiments.filter(function (e) { return known(e.f1) && known(e.fsr); });
    if (!points.length) return false;
    var hints = unique(data.groups.filter(function (g) { return g.by === 'hints'; }).map(function (g) { return g.hints; }))
      .filter(function (h) { return points.some(function (p) { return p.hints === h; }); });
    var style = colour(hints), width = 560, height = 340;
    key(figure, hints.map(function (h) { titles['hints ' + h] = 'hints ' + h; return 'hints ' + h; }), function (d) { return style(d.slice(6)); });
    var x = d3.scaleLinear([0, 1], [48, width - 16]);
    var y = d3.scaleLinear(domain(points.map(function (p) { return { x: p.fsr }; })), [height - 44, 12]).clamp(true);
    var svg = picture(figure, width, height, 'Similarity to the known change and FSR');
    svg.append('g').attr('class', 'soft').attr('transform', 'translate(0,' + (height - 44) + ')').call(d3.axisBottom(x).ticks(6));
    svg.append('g').attr('class', 'soft').attr('transform', 'translate(48,0)').call(d3.axisLeft(y).ticks(6));
    svg.append('text').attr('class', 'soft').attr('x', width - 16).attr('y', height - 8).attr('text-anchor', 'end').text('similarity (F1)');
    svg.append('text').attr('class', 'soft').attr('x', 54).attr('y', 18).text('FSR');
    [[0, 'zero'], [1, 'one']].forEach(function (at) {
      svg.append('line').attr('class', at[1]).attr('x1', 48).attr('x2', width - 16).attr('y1', y(at[0])).attr('y2', y(at[0]));
    });
    points.forEach(function (p) {
      mark(svg, { x: p.fsr, style: style(p.hints), name: p.id + ' ' + p.model + ', similarity ' + number(p.f1) }, x(p.f1), y(p.fsr), y, false);
    });
    return true;
  }

  var charts = { mean: drawMean, iqm: drawIqm, steps: drawSteps, similarity: drawSimilarity };
  document.querySelectorAll('figure[data-chart]').forEach(function (figure) {
    var name = figure.getAttribute('data-chart'), record = /^record-(\d+)$/.exec(name);
    if (record ? drawRecord(figure, +record[1]) : charts[name](figure)) figure.hidden = false;
  });
  // Browsers that cannot show a closed one in print get them opened.
  window.addEventListener('beforeprint', function () {
    document.querySelectorAll('details.tree').forEach(function (d) { d.open = true; });
  });
})();
