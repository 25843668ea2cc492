begin;
select plan(2);

select is(app.stage_names(organization('alice')), 'new, contacted, qualified, proposal, won, lost', 'in their order');
insert into app.pipeline_stage (organization_id, name, position)
select organization('bob'), 's' || n, 100 + n from generate_series(1, 60) as n;
select is(cardinality(string_to_array(app.stage_names(organization('bob')), ', ')), 50, 'at most 50');

select * from finish();
rollback;
