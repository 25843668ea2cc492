begin;
select plan(2);

select move_lead('alice', '00000000-0000-7000-8000-000000000001', null, 'new', '2026-03-01 10:00Z');
select move_lead('bob', '00000000-0000-7000-8000-000000000002', null, 'won', '2026-03-01 10:00Z');
-- Both leads have the same id, which no constraint forbids.
select move_lead('bob', '00000000-0000-7000-8000-000000000001', 'new', 'lost', '2026-03-02 10:00Z');
select count_stages();
select make_analyst('ana');
select make_analyst('ben');

select act_as('ana');
select results_eq(
  'select h.stage collate "default", h.next_stage collate "default" from bi.stage_history as h', $$values ('new', null)$$, 'ana sees alice''s stays'
);
select act_as('ben');
select results_eq('select h.stage collate "default" from bi.stage_history as h order by 1', array['lost', 'won'], 'ben sees bob''s stays');

select * from finish();
rollback;
