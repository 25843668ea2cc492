begin;
select plan(5);

set local timezone = 'Asia/Tokyo';
set local datestyle = 'German';
select is(app.utc_text('2026-04-27 13:22:05.114Z'), '2026-04-27T13:22:05.114Z', 'in Tokyo');
set local timezone = 'America/New_York';
select is(app.utc_text('2026-04-27 13:22:05Z'), '2026-04-27T13:22:05.000Z', 'in New York, with zeros');
select is(app.utc_text('0001-01-01 00:00:00Z'), '0001-01-01T00:00:00.000Z', 'the first year');
select is(app.utc_text('9999-12-31 23:59:59.999Z'), '9999-12-31T23:59:59.999Z', 'the last year');
select is(app.utc_text(null), null, 'null for null');

select * from finish();
rollback;
