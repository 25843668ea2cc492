begin;
select plan(4);

create function test.with_defaults(a integer, b text default 'b' || 'c', c integer default 5, d text default null)
returns void language sql as '';
select is(api.default_text('test.with_defaults'::regproc, 1), null, 'none');
select is(api.default_text('test.with_defaults'::regproc, 2), 'bc', 'the value and not the expression');
select is(api.default_text('test.with_defaults'::regproc, 3), '5', 'a number as text');
select is(api.default_text('test.with_defaults'::regproc, 4), null, 'a default of null');

select * from finish();
rollback;
