begin;
select plan(2);

select move_lead('bob', '00000000-0000-7000-8000-000000000001', null, 'new', '2026-03-01 10:00Z');
select count_stages();
select make_analyst('ana');
select make_analyst('ben');

select act_as('ben');
select isnt_empty('select from bi.pipeline_daily', 'bob''s organization has a change');
select act_as('ana');
select is_empty('select from bi.pipeline_daily', 'alice''s organization has none');

select * from finish();
rollback;
