begin;
select plan(7);

select act_as('operator');
select admin.create_key(organization('alice'), 'read', sha256('one'))::text;
select is_empty('select from admin.unannounced_keys()', 'nothing waits in a database that is no cell');
select admin.set_cell('east');
select admin.set_cell('east');
select is((select c.name from admin.cell() as c), 'east', 'the name, also when it is given twice');
select throws_ok($$select admin.set_cell('west')$$, 'PT409', 'cell_has_a_name', 'another name');
select throws_ok($$select admin.set_cell('West')$$, 'PT409', 'cell_has_a_name', 'a text that is no name');
select admin.create_key(organization('alice'), 'read', sha256('two'))::text;
select is(
  array(select k.organization_id from admin.unannounced_keys() as k), array[organization('alice')], 'a new key of a cell waits'
);
select ok(not admin.is_announced(organization('alice')), 'the organization has a key that waits');
select admin.set_cell(null);
select is_empty('select from admin.unannounced_keys()', 'nothing waits any more');

select * from finish();
rollback;
